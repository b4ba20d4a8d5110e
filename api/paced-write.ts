/** Writing no faster than the other side reads. A door. */

import type { Writable } from "node:stream";

/**
 * Resolves when there is room for more, or when the stream is gone: its end is told to those who
 * wait for that.
 */
export async function writePaced(stream: Writable, data: Uint8Array | string): Promise<void> {
  if (stream.destroyed || !stream.writable) return;
  if (stream.write(data) || stream.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      stream.off("drain", go);
      stream.off("close", go);
      resolve();
    };
    stream.on("drain", go);
    stream.on("close", go);
  });
}
