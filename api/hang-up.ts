/** Ending a stream for good, without cutting off what was said last. A door. */

import type { Duplex } from "node:stream";

/** Once it has been told everything, the other side hangs up at once, unless it hangs itself. */
const lingerMs = 30_000;

/**
 * Ends our side now; gives the stream up when the other side ends its own, or when it has had all
 * there was to say for long. A reader that is slow is waited for.
 */
export function hangUp(stream: Duplex): void {
  if (stream.destroyed) return;
  let timer: NodeJS.Timeout | undefined;
  stream.once("close", () => clearTimeout(timer));
  stream.end(() => {
    timer = setTimeout(() => stream.destroy(), lingerMs).unref();
  });
  // Whatever it still says is of no interest, but its end is.
  stream.resume();
}

/** Joins two streams until both have ended. What breaks one breaks the other. */
export function splice(near: Duplex, far: Duplex): Promise<void> {
  const joined = [join(near, far), join(far, near)];
  return Promise.all(joined).then(() => undefined);
}

function join(from: Duplex, to: Duplex): Promise<void> {
  from.on("error", () => undefined);
  from.pipe(to);
  return new Promise((resolve) => {
    const end = (): void => {
      // A pipe to what is closed would be paused, and its end never be read.
      to.unpipe(from);
      if (from.readableEnded && from.errored === null) hangUp(to);
      else to.destroy();
      resolve();
    };
    if (from.closed) end();
    else from.once("close", end);
  });
}
