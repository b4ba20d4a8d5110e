/**
 * The canonical codec: DAG-CBOR (sorted keys, shortest integers, definite lengths), so that equal
 * values have equal bytes and a hash of bytes is a hash of meaning. No links, and no integers past
 * 2^53: they would come out as objects and bigints, which nobody here expects.
 *
 * `decode` is total: whatever arrives, it answers with a value or with undefined, in bounded time
 * and memory. Source of the format: IPLD DAG-CBOR specification, a subset of RFC 8949.
 */

import * as dagCbor from "@ipld/dag-cbor";
import { isCanonical } from "./canonical.ts";

/** Far above any honest document: a node document of 1,000 tasks is about 500 KiB. */
export const documentBytesMax = 4 * 1024 * 1024;

export function encode(value: unknown): Uint8Array {
  return dagCbor.encode(value);
}

/** Undefined when the bytes are not exactly what `encode` gives for some value. */
export function decode(bytes: Uint8Array, bytesMax: number = documentBytesMax): unknown {
  if (bytes.length > bytesMax || !isCanonical(bytes)) return undefined;
  try {
    return dagCbor.decode(bytes);
  } catch {
    return undefined;
  }
}
