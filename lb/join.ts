/**
 * Joins two duplexes with it-pipe, a direction each. A door.
 *
 * it-pipe moves the chunks one by one, so back-pressure is an `await`; what it does not know is
 * added at its ends:
 * - half-close: Node's own async iterator destroys a duplex when its reading ends, and with it
 *   what is still to be written. `destroyOnReturn: false` and `autoDestroy` by Node leave that.
 * - reset: a failure of one direction ends neither the other one nor its streams. A close that was
 *   not preceded by both ends resets the other side, which in turn makes both pipes fail.
 */

import type { Duplex } from "node:stream";
import { pipe } from "it-pipe";
import { reset } from "./means.ts";
import { isWhole, type Watch } from "./watch.ts";

type Chunks = AsyncIterable<Uint8Array>;

/** Ends when both directions have, in whatever way. Both must be held: see `Means.hold`. */
export async function join(near: Duplex, far: Duplex, watch?: Watch): Promise<void> {
  const closed = (other: Duplex) =>
    function (this: Duplex): void {
      if (!isWhole(this)) reset(other);
    };
  near.once("close", closed(far));
  far.once("close", closed(near));
  if (near.destroyed) reset(far);
  if (far.destroyed) reset(near);
  try {
    await Promise.all([
      pipe(
        chunksOf(near),
        into(far, () => watch?.asked()),
      ),
      pipe(
        chunksOf(far),
        into(near, () => watch?.answered()),
      ),
    ]);
  } catch {
    reset(near);
    reset(far);
  }
}

function chunksOf(stream: Duplex): Chunks {
  return stream.iterator({ destroyOnReturn: false });
}

function into(stream: Duplex, first: () => void): (chunks: Chunks) => Promise<void> {
  return async (chunks) => {
    let isFirst = true;
    for await (const chunk of chunks) {
      if (isFirst) first();
      isFirst = false;
      if (!stream.write(chunk)) await drained(stream);
    }
    stream.end();
  };
}

/** Rejects when the stream closes first. */
function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stream.off("drain", settle);
      stream.off("close", settle);
      if (stream.destroyed) reject(new Error("closed before it had drained"));
      else resolve();
    };
    stream.on("drain", settle);
    stream.on("close", settle);
  });
}
