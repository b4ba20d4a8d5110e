/** Writing no faster than the other side reads. A door. */

import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Resolves when there is room for more, or when the stream is gone: its end is told to those who
 * wait for that.
 */
export async function writePaced(stream: Writable, data: Uint8Array | string): Promise<void> {
  if (stream.destroyed || !stream.writable) return;
  if (stream.write(data) || stream.destroyed) return;
  const ended = new AbortController();
  const { signal } = ended;
  const both = [once(stream, "drain", { signal }), once(stream, "close", { signal })];
  await Promise.race(both).catch(() => undefined);
  ended.abort();
  await Promise.allSettled(both);
}
