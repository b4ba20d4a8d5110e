/**
 * The canonical codec: DAG-CBOR (sorted keys, shortest integers, definite lengths), so that equal
 * values have equal bytes and a hash of bytes is a hash of meaning.
 *
 * `decode` is total: whatever arrives, it answers with a value or with undefined, in bounded time
 * and memory. Source of the format: IPLD DAG-CBOR specification, a subset of RFC 8949.
 */

import * as dagCbor from "@ipld/dag-cbor";

/** Far above any honest document: a node document of 1,000 tasks is about 500 KiB. */
export const documentBytesMax = 4 * 1024 * 1024;
/** Specs nest 6 deep; the rest is room for growth. Deeper input is an attack on the stack. */
const depthMax = 32;

export function encode(value: unknown): Uint8Array {
  return dagCbor.encode(value);
}

export function decode(bytes: Uint8Array, bytesMax: number = documentBytesMax): unknown {
  if (bytes.length > bytesMax || !isShallow(bytes)) return undefined;
  try {
    return dagCbor.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Walks the heads of all items without building any, so that nesting is known before a recursive
 * decoder sees it. Lengths that reach past the end are refused here as well.
 */
function isShallow(bytes: Uint8Array): boolean {
  /** Items still to come at each open level. */
  const open: number[] = [1];
  let at = 0;
  while (open.length > 0) {
    const left = open[open.length - 1] as number;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = left - 1;
    const head = readHead(bytes, at);
    if (head === undefined) return false;
    at = head.next;
    if (head.children > 0) open.push(head.children);
    if (open.length > depthMax || at > bytes.length) return false;
  }
  return at === bytes.length;
}

/** One item's head: where the next begins, and how many items it holds. */
function readHead(bytes: Uint8Array, at: number): { next: number; children: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const major = first >> 5;
  const size = first & 31;
  if (size > 27) return undefined;
  const extra = size < 24 ? 0 : 2 ** (size - 24);
  if (at + 1 + extra > bytes.length) return undefined;
  let length = size;
  if (extra > 0) {
    length = 0;
    for (let index = 1; index <= extra; index++) length = length * 256 + (bytes[at + index] ?? 0);
  }
  const next = at + 1 + extra;
  if (major === 2 || major === 3) return { next: next + length, children: 0 };
  if (major === 4 || major === 5) {
    const children = major === 4 ? length : 2 * length;
    return children > bytes.length ? undefined : { next, children };
  }
  return { next, children: major === 6 ? 1 : 0 };
}
