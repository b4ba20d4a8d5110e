/**
 * Frames between agents. All are best effort: each may be lost, repeated, reordered or late, so
 * none assumes that another arrived. docs/protocol.md shows the exchanges.
 *
 * `readFrame` is total and bounded: anything that is not exactly a frame is undefined.
 */

import { decode, encode } from "../crdt/codec.ts";
import type { NodeDelta } from "../crdt/node-document.ts";
import { isRecord, isWhole } from "../crdt/signed.ts";

/** One frame's most, also what transports refuse above. */
export const frameBytesMax = 512 * 1024;
/** Above this a change is not broadcast; peers are told to compare and pull. */
export const broadcastBytesMax = 16 * 1024;
/** Pushes are split so that one does not hold up a link for long. */
export const pushBytesMax = 256 * 1024;

export type Frame = Readonly<
  /** News: from its author (`fresh`) or out of a comparison. */
  | {
      kind: "push";
      fresh: boolean;
      documents: readonly NodeDelta[];
      revisions: readonly Uint8Array[];
      facts: readonly Uint8Array[];
    }
  /** "My state's digest is this": begins a comparison, or ends it when `equal`. */
  | { kind: "digest"; digest: Uint8Array; wallMs: number; equal: boolean; settled: boolean }
  | {
      kind: "summary";
      /** [node, epoch, seq, first 8 bytes of the root] */
      heads: readonly HeadSummary[];
      /** 256 × 16 bytes: see sync.ts. */
      buckets: Uint8Array;
      facts: Uint8Array;
    }
  | {
      kind: "inventory";
      /** Node documents to be sent whole. */
      wanted: readonly string[];
      /** Whether the sender has current state; see retirement.ts. */
      settled: boolean;
      /** Ids held in each bucket that differs. */
      buckets: readonly (readonly [number, readonly string[]])[];
      /** Fact ids held; null when the digests were equal. */
      facts: readonly string[] | null;
    }
  | {
      kind: "want";
      settled: boolean;
      documents: readonly string[];
      revisions: readonly string[];
      facts: readonly string[];
    }
  /** Receipt for a fresh push: these are here now. */
  | { kind: "have"; revisions: readonly string[]; facts: readonly string[] }
  /** Two heads of one version: proof that their signer says different things to different nodes. */
  | { kind: "proof"; heads: readonly [Uint8Array, Uint8Array] }
>;

export type HeadSummary = readonly [node: string, epoch: number, seq: number, root: Uint8Array];

export function writeFrame(frame: Frame): Uint8Array {
  return encode(frame);
}

export function readFrame(bytes: Uint8Array): Frame | undefined {
  const value = decode(bytes, frameBytesMax);
  if (!isRecord(value)) return undefined;
  switch (value.kind) {
    case "push":
      return readPush(value);
    case "digest":
      return readDigest(value);
    case "summary":
      return readSummary(value);
    case "inventory":
      return readInventory(value);
    case "want":
      return readWant(value);
    case "have":
      return readHave(value);
    case "proof":
      return readProof(value);
    default:
      return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function readPush({ fresh, documents, revisions, facts }: Fields): Frame | undefined {
  if (typeof fresh !== "boolean" || !isList(documents, isDelta)) return undefined;
  if (!isList(revisions, isBytes) || !isList(facts, isBytes)) return undefined;
  return { kind: "push", fresh, documents, revisions, facts };
}

function readDigest({ digest, wallMs, equal, settled }: Fields): Frame | undefined {
  if (!isBytes(digest) || digest.length !== 32 || !isWhole(wallMs)) return undefined;
  if (typeof equal !== "boolean" || typeof settled !== "boolean") return undefined;
  return { kind: "digest", digest, wallMs, equal, settled };
}

function readSummary({ heads, buckets, facts }: Fields): Frame | undefined {
  if (!isList(heads, isHeadSummary) || !isBytes(buckets) || buckets.length !== 4096) {
    return undefined;
  }
  if (!isBytes(facts) || facts.length !== 32) return undefined;
  return { kind: "summary", heads, buckets, facts };
}

function readInventory({ wanted, settled, buckets, facts }: Fields): Frame | undefined {
  if (!isList(wanted, isId) || !isList(buckets, isBucket)) return undefined;
  if (typeof settled !== "boolean") return undefined;
  if (facts !== null && !isList(facts, isId)) return undefined;
  return { kind: "inventory", wanted, settled, buckets, facts };
}

function readWant({ settled, documents, revisions, facts }: Fields): Frame | undefined {
  if (!isList(documents, isId) || !isList(revisions, isId) || !isList(facts, isId)) {
    return undefined;
  }
  if (typeof settled !== "boolean") return undefined;
  return { kind: "want", settled, documents, revisions, facts };
}

function readHave({ revisions, facts }: Fields): Frame | undefined {
  if (!isList(revisions, isId) || !isList(facts, isId)) return undefined;
  return { kind: "have", revisions, facts };
}

function readProof({ heads }: Fields): Frame | undefined {
  if (!isList(heads, isBytes) || heads.length !== 2) return undefined;
  return { kind: "proof", heads: [heads[0] as Uint8Array, heads[1] as Uint8Array] };
}

/** A frame holds at most what its bytes can; this only bounds the work of looking. */
const itemsMax = 65_536;

function isList<Item>(value: unknown, is: (item: unknown) => item is Item): value is Item[] {
  return Array.isArray(value) && value.length <= itemsMax && value.every(is);
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length <= 128;
}

function isHeadSummary(value: unknown): value is HeadSummary {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [node, epoch, seq, root] = value;
  return isId(node) && isWhole(epoch) && isWhole(seq) && isBytes(root) && root.length === 8;
}

function isBucket(value: unknown): value is readonly [number, readonly string[]] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return isWhole(value[0]) && value[0] < 256 && isList(value[1], isId);
}

function isDelta(value: unknown): value is NodeDelta {
  if (!isRecord(value) || !isBytes(value.head)) return false;
  const { base, rows } = value;
  const based = isRecord(base) && isWhole(base.epoch) && isWhole(base.seq);
  return (base === null || based) && isList(rows, isRowChange);
}

function isRowChange(value: unknown): value is readonly [string, Uint8Array | null] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [key, bytes] = value;
  return typeof key === "string" && key.length <= 512 && (bytes === null || isBytes(bytes));
}
