/**
 * Joins two duplexes with it-pipe, a direction each. A door.
 *
 * it-pipe moves the chunks one by one, so back-pressure is an `await`; what it does not know is
 * added at its ends:
 * - half-close: the end of the chunks ends the writing of the other side and nothing more. (Its
 *   own pipe through two duplexes settles with the first direction that ends.)
 * - reset: a failure of one direction does not reach the other one, which may wait for a silent
 *   side for ever. A close that was not preceded by both ends resets the other side. And an
 *   iterator that is left early must not destroy its stream: that would look like a proper end.
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
    if (stream.destroyed) settle();
  });
}
