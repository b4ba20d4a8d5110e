/**
 * An operator's document: whole revisions, of which the highest stamp wins everywhere. Revisions
 * name their parents, so that a loser which the winner did not know of is told from one that it
 * replaced: the first is a conflict, the second is history.
 *
 * Merging keeps the best ten of a union, which is a join: commutative, associative, idempotent.
 * Source: Shapiro et al., "A comprehensive study of Convergent and Commutative Replicated Data
 * Types", INRIA RR-7506 (2011), section 3.2.1; we keep losers, and order by crdt/stamp.ts.
 */

import { hex, sha256 } from "./hash.ts";
import { isRecord, isWhole, open, type Signer, seal, type Verify } from "./signed.ts";
import { compareStamps, type HybridTime, type Stamp } from "./stamp.ts";

export type Revision = {
  /** Hex of the first 16 bytes of the envelope's SHA-256. */
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly key: string;
  readonly stamp: Stamp;
  /** Revisions that its writer had seen and nothing it had seen descended from. */
  readonly parents: readonly string[];
  /** Undefined in a tombstone, which must outlive every copy of what it deletes. */
  readonly value: unknown;
};

/** `revisions` is never empty, best first. */
export type Register = { readonly key: string; readonly revisions: readonly Revision[] };

const context = "shoal/revision/1";
/** Ten: enough to roll back through a bad day, few enough to send with every sync. */
export const revisionsKept = 10;
export const revisionBytesMax = 1024 * 1024;
const parentsMax = 32;

export function openRevision(
  bytes: Uint8Array,
  mesh: string,
  verify: Verify,
): Revision | undefined {
  const opened = open(bytes, context, verify, revisionBytesMax);
  if (opened === undefined || !isRecord(opened.payload)) return undefined;
  const { key, generation, timeMs, counter, parents, value } = opened.payload;
  if (opened.payload.mesh !== mesh || typeof key !== "string") return undefined;
  if (key.length === 0 || key.length > 256) return undefined;
  if (!isWhole(generation) || !isWhole(timeMs) || !isWhole(counter)) return undefined;
  if (!Array.isArray(parents) || parents.length > parentsMax || !parents.every(isId)) {
    return undefined;
  }
  const stamp = { generation, timeMs, counter, writer: opened.signer };
  return { id: idOf(bytes), bytes, key, stamp, parents, value: value ?? undefined };
}

export type Draft = {
  readonly key: string;
  readonly generation: number;
  readonly time: HybridTime;
  readonly parents: readonly string[];
};

/** `value` undefined writes a tombstone. */
export function writeRevision(
  mesh: string,
  draft: Draft,
  value: unknown,
  signer: Signer,
): Revision {
  const { key, generation, time, parents } = draft;
  const { timeMs, counter } = time;
  const payload = { mesh, key, generation, timeMs, counter, parents, value: value ?? null };
  const bytes = seal(signer, context, payload);
  const stamp = { generation, timeMs, counter, writer: signer.id };
  return { id: idOf(bytes), bytes, key, stamp, parents, value };
}

/** The same object back when nothing changed. */
export function mergeRevision(register: Register | undefined, revision: Revision): Register {
  if (register === undefined) return { key: revision.key, revisions: [revision] };
  if (register.revisions.some(({ id }) => id === revision.id)) return register;
  const revisions = [...register.revisions, revision].sort(bestFirst).slice(0, revisionsKept);
  return revisions.includes(revision) ? { key: register.key, revisions } : register;
}

function bestFirst(left: Revision, right: Revision): number {
  return compareStamps(right.stamp, left.stamp) || (left.id < right.id ? -1 : 1);
}

/** Kept revisions that are no ancestor of the first: someone's write was lost to another's. */
export function conflicts(register: Register): Revision[] {
  const [current] = register.revisions;
  if (current === undefined) return [];
  const byId = new Map(register.revisions.map((revision) => [revision.id, revision]));
  const known = new Set<string>([current.id]);
  const queue = [...current.parents];
  let isWhole = true;
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (known.has(id)) continue;
    known.add(id);
    const ancestor = byId.get(id);
    if (ancestor === undefined) isWhole = false;
    else queue.push(...ancestor.parents);
  }
  const strangers = register.revisions.filter(({ id }) => !known.has(id));
  if (isWhole) return strangers;
  const horizon = oldestKnown(register, known);
  return strangers.filter(({ stamp }) => compareStamps(stamp, horizon) > 0);
}

/** Past the last kept ancestor the chain cannot be followed: nothing is claimed about it. */
function oldestKnown(register: Register, known: ReadonlySet<string>): Stamp {
  const kept = register.revisions.filter(({ id }) => known.has(id));
  return (kept[kept.length - 1] ?? (register.revisions[0] as Revision)).stamp;
}

/** What a new revision names as its parents: kept revisions that no kept one descends from. */
export function heads(register: Register | undefined): string[] {
  if (register === undefined) return [];
  const replaced = new Set(register.revisions.flatMap(({ parents }) => parents));
  return register.revisions.map(({ id }) => id).filter((id) => !replaced.has(id));
}

function idOf(bytes: Uint8Array): string {
  return hex(sha256(bytes)).slice(0, 32);
}

function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}
