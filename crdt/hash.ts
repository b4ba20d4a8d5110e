/** SHA-256 (FIPS 180-4) and its hexadecimal spelling: the only hash of replicated state. */

import { createHash } from "node:crypto";

/**
 * Of the parts one after another: callers make sure that no two splits can mean different things.
 */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}
