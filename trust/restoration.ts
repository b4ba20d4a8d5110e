/**
 * A backup made ready for the node that is to bring its mesh back: the admin's word that admits the
 * node's key, and, when no other node is left, that all others are out. It goes from the command to
 * the agent over a pipe, never to a disk. Pure.
 */

import { decode, encode } from "../crdt/codec.ts";
import { isRecord } from "../crdt/signed.ts";
import type { MeshId } from "../model/ids.ts";
import { type Backup, backupBytesMax } from "./backup.ts";
import { type Fact, openFact, writeFact } from "./facts.ts";
import { type Identity, identityFromSeed, verify } from "./identity.ts";
import type { TrustView } from "./view.ts";

export type Restoration = {
  readonly mesh: MeshId;
  readonly name: string;
  readonly secret: Uint8Array;
  /** Of the node's key. */
  readonly seed: Uint8Array;
  readonly facts: readonly Uint8Array[];
  readonly revisions: readonly Uint8Array[];
  readonly addresses: readonly string[];
  /**
   * False when things may have been deleted since whose tombstones are gone by now: the node then
   * takes state from those who are left before it gives any (gossip/retirement.ts).
   */
  readonly settled: boolean;
};

/**
 * Tombstones are kept for a day at least (gossip/retirement.ts), so that what is younger can only
 * be merged with them; half of it is left for clocks that are wrong by hours.
 */
export const freshMs = 12 * 3_600_000;

export type RestorationOptions = {
  /** Of the key that the node is to have: a new one, or one that the mesh knows. */
  readonly seed: Uint8Array;
  readonly nodeName: string;
  readonly admin: Identity;
  readonly nowMs: number;
  /** No other node is left: they all are taken out of the mesh. */
  readonly allLost: boolean;
};

/** `added` are the facts that the backup does not have, for whoever is left. */
export function prepareRestoration(
  { mesh, atMs, secret, facts, revisions, addresses }: Backup,
  trust: TrustView,
  { seed, nodeName, admin, nowMs, allLost }: RestorationOptions,
): { readonly restoration: Restoration; readonly added: readonly Uint8Array[] } {
  const node = identityFromSeed(seed).id;
  // A clock that is behind must not cut off what was said before.
  const timeMs = Math.max(nowMs, 1 + latestOf(mesh, facts));
  const others = [...trust.nodes.keys()].filter((one) => one !== node);
  const said: Fact[] = [];
  if (trust.roleOf(node) !== "peer") {
    said.push({ kind: "admit", subject: node, role: "peer", name: nodeName, acceptance: null });
  }
  for (const subject of allLost ? others : []) {
    said.push({ kind: "revoke", subject, cutOffMs: timeMs });
  }
  const added = said.map((fact) => writeFact(mesh, fact, timeMs, admin).bytes);
  const settled = allLost || nowMs - atMs < freshMs;
  const kept = { revisions, addresses: allLost ? [] : addresses, settled };
  const name = trust.name;
  return { restoration: { mesh, name, secret, seed, facts: [...facts, ...added], ...kept }, added };
}

function latestOf(mesh: MeshId, facts: readonly Uint8Array[]): number {
  return facts.reduce((latest, bytes) => {
    return Math.max(latest, openFact(bytes, mesh, verify)?.timeMs ?? 0);
  }, 0);
}

export function printRestoration(restoration: Restoration): string {
  return Buffer.from(encode(restoration)).toString("base64");
}

/** Undefined when it is not what `printRestoration` gives. */
export function parseRestoration(text: string): Restoration | undefined {
  const value = decode(new Uint8Array(Buffer.from(text, "base64")), backupBytesMax);
  if (!isRecord(value)) return undefined;
  const { mesh, name, secret, seed, settled } = value;
  if (typeof mesh !== "string" || typeof name !== "string") return undefined;
  if (!isKey(secret) || !isKey(seed) || typeof settled !== "boolean") return undefined;
  const lists = [value.facts, value.revisions, value.addresses];
  if (!lists.every(Array.isArray)) return undefined;
  return value as unknown as Restoration;
}

function isKey(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}
