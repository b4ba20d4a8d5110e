/** Reading a few bytes off the front of a stream and leaving the rest in it. A door. */

import type { Duplex } from "node:stream";

/**
 * Exactly `count` bytes; rejects when the stream ends, fails or is destroyed before. The caller
 * limits the time by destroying the stream.
 */
export function readExactly(stream: Duplex, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stream.off("readable", look);
      for (const event of endings) stream.off(event, fail);
    };
    const fail = (): void => {
      settle();
      reject(new Error(`the stream ended before ${count} bytes`));
    };
    const look = (): void => {
      const bytes = stream.read(count) as Buffer | null;
      if (bytes === null) return;
      // At its end a stream gives what is left, although it is less.
      if (bytes.length < count) {
        fail();
      } else {
        settle();
        resolve(bytes);
      }
    };
    for (const event of endings) stream.on(event, fail);
    stream.on("readable", look);
    if (stream.destroyed || stream.readableEnded) fail();
  });
}

const endings = ["end", "error", "close"] as const;
