/**
 * A node's own document: a map of rows under one signed head. Only the node's key writes it, so
 * order is a counter, (epoch, seq), immune to clocks. A delta is the new head and the rows that
 * changed; the receiver applies it, recomputes the root and checks one signature.
 *
 * Two heads with one (epoch, seq) and different roots are equivocation: both are kept as proof.
 * Begin reading at `applyDelta`.
 */

import { encode } from "./codec.ts";
import { equalBytes, sha256 } from "./hash.ts";
import { isRecord, isWhole, open, type Signer, seal, type Verify } from "./signed.ts";

export type Head = {
  readonly mesh: string;
  readonly node: string;
  /** Raised with every start of the agent. */
  readonly epoch: number;
  /** Raised with every change. */
  readonly seq: number;
  /** Raised to refute an accusation: SWIM's incarnation number. */
  readonly incarnation: number;
  /** Unix ms by the writer's clock when it signed. Orders nothing. */
  readonly wallMs: number;
  /** Hash over all rows: see `rootOf`. */
  readonly root: Uint8Array;
};

/** `bytes` is the sealed envelope as it came. */
export type SignedHead = Head & { readonly bytes: Uint8Array };

/** Row values are encoded; a row's bytes never change once it is in a document. */
export type NodeDocument = {
  readonly head: SignedHead;
  readonly rows: ReadonlyMap<string, Uint8Array>;
};

export type NodeDelta = {
  readonly head: Uint8Array;
  /** The version it changes; null when `rows` is the whole document. */
  readonly base: { readonly epoch: number; readonly seq: number } | null;
  /** Null deletes. */
  readonly rows: readonly (readonly [string, Uint8Array | null])[];
};

export type Applied =
  | { readonly kind: "applied"; readonly document: NodeDocument }
  | { readonly kind: "stale" }
  /** Something in between is missing: pull the whole document. */
  | { readonly kind: "mismatch" }
  | { readonly kind: "equivocation"; readonly proof: readonly [Uint8Array, Uint8Array] }
  | { readonly kind: "invalid" };

const context = "shoal/head/1";
/** Heads are about 250 bytes. */
const headBytesMax = 2048;
/** More rows than a node can hold tasks, several times over. */
export const rowsMax = 20_000;
/**
 * Of one row's value. Rows are a few hundred bytes; a node's own with many labels a few thousand.
 */
export const rowBytesMax = 64 * 1024;

export function openHead(bytes: Uint8Array, mesh: string, verify: Verify): SignedHead | undefined {
  const opened = open(bytes, context, verify, headBytesMax);
  if (opened === undefined || !isRecord(opened.payload)) return undefined;
  const { node, epoch, seq, incarnation, wallMs, root } = opened.payload;
  if (opened.payload.mesh !== mesh || node !== opened.signer) return undefined;
  if (!isWhole(epoch) || !isWhole(seq) || !isWhole(incarnation) || !isWhole(wallMs)) {
    return undefined;
  }
  if (!(root instanceof Uint8Array) || root.length !== 32) return undefined;
  return { mesh, node: opened.signer, epoch, seq, incarnation, wallMs, root, bytes };
}

export function compareHeads(
  left: Pick<Head, "epoch" | "seq">,
  right: Pick<Head, "epoch" | "seq">,
): number {
  return left.epoch - right.epoch || left.seq - right.seq;
}

const rowHashes = new WeakMap<Uint8Array, Uint8Array>();

function hashOfRow(bytes: Uint8Array): Uint8Array {
  let hash = rowHashes.get(bytes);
  if (hash === undefined) {
    hash = sha256(bytes);
    rowHashes.set(bytes, hash);
  }
  return hash;
}

/** Over the rows sorted by key, each as its key and the hash of its value. */
export function rootOf(rows: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const keys = [...rows.keys()].sort();
  return sha256(encode(keys.map((key) => [key, hashOfRow(rows.get(key) as Uint8Array)])));
}

export function applyDelta(
  current: NodeDocument | undefined,
  delta: NodeDelta,
  mesh: string,
  verify: Verify,
): Applied {
  const head = openHead(delta.head, mesh, verify);
  if (head === undefined) return { kind: "invalid" };
  if (current !== undefined) {
    if (current.head.node !== head.node) return { kind: "invalid" };
    const order = compareHeads(head, current.head);
    if (order === 0 && !equalBytes(head.root, current.head.root)) {
      return { kind: "equivocation", proof: [current.head.bytes, head.bytes] };
    }
    if (order <= 0) return { kind: "stale" };
  }
  if (delta.base !== null && !fits(current, delta.base)) return { kind: "mismatch" };
  const rows = new Map(delta.base === null ? [] : current?.rows);
  for (const [key, value] of delta.rows) {
    if (value === null) rows.delete(key);
    else if (value.length > rowBytesMax) return { kind: "invalid" };
    else rows.set(key, keepUnchanged(current?.rows.get(key), value));
  }
  if (rows.size > rowsMax) return { kind: "invalid" };
  if (!equalBytes(rootOf(rows), head.root)) return { kind: "mismatch" };
  return { kind: "applied", document: { head, rows } };
}

function fits(
  current: NodeDocument | undefined,
  base: { readonly epoch: number; readonly seq: number },
): boolean {
  return current !== undefined && compareHeads(current.head, base) === 0;
}

/** Bytes that are equal stay the same object, and with it everything remembered about them. */
function keepUnchanged(old: Uint8Array | undefined, value: Uint8Array): Uint8Array {
  return old !== undefined && equalBytes(old, value) ? old : value;
}

export type Amendment = {
  readonly mesh: string;
  readonly epoch: number;
  readonly incarnation: number;
  readonly wallMs: number;
  /** Undefined deletes. */
  readonly changes: ReadonlyMap<string, Uint8Array | undefined>;
};

/** The writer's side: the next version of its own document, and the delta that says so. */
export function amend(
  current: NodeDocument | undefined,
  amendment: Amendment,
  signer: Signer,
): { document: NodeDocument; delta: NodeDelta } {
  const { mesh, epoch, incarnation, wallMs, changes } = amendment;
  const rows = new Map(current?.rows);
  const changed: [string, Uint8Array | null][] = [];
  for (const [key, value] of changes) {
    if (value === undefined) rows.delete(key);
    else rows.set(key, value);
    changed.push([key, value ?? null]);
  }
  const seq = (current?.head.seq ?? 0) + 1;
  const fields = { mesh, node: signer.id, epoch, seq, incarnation, wallMs, root: rootOf(rows) };
  const bytes = seal(signer, context, fields);
  const base = current === undefined ? null : { epoch: current.head.epoch, seq: current.head.seq };
  const document = { head: { ...fields, bytes }, rows };
  const delta = base === null ? [...rows] : changed;
  return { document, delta: { head: bytes, base, rows: delta } };
}
