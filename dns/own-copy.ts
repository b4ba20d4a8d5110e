/**
 * Bytes that are kept for long, outside Node's shared pool: a few bytes of it keep eight kilobytes
 * alive, and a cache would hold twenty times what it counts.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
