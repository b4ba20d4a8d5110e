/**
 * Standard output for the log: written at once, so that the last words before an exit are not lost,
 * and never waited for, so that a reader that has stopped reading does not stop the agent. A door.
 *
 * pino's own asynchronous destination does the second as well, but spins for ever at exit when the
 * reader has gone (sonic-boom's flushSync takes a broken pipe for a busy one).
 */

import { constants, fstatSync, openSync, writeSync } from "node:fs";

/** What waits for a reader that is behind, bytes; lines beyond it are dropped. */
const backlogBytesMax = 1_048_576;

export function openOutput(descriptor = 1): { write(line: string): void } {
  const file = withoutBlocking(descriptor);
  let backlog: Uint8Array = new Uint8Array(0);
  return {
    write(line) {
      const fits = backlog.length < backlogBytesMax;
      const bytes = fits ? Buffer.concat([backlog, Buffer.from(line)]) : backlog;
      try {
        backlog = bytes.subarray(writeSync(file, bytes));
      } catch (error) {
        // The reader is slow: later. It has gone, or the disk is full: there is nobody to tell.
        backlog = (error as NodeJS.ErrnoException).code === "EAGAIN" ? bytes : new Uint8Array(0);
      }
    },
  };
}

/** A pipe is opened once more, since whether it blocks is shared with all who have it open. */
function withoutBlocking(descriptor: number): number {
  try {
    if (!fstatSync(descriptor).isFIFO()) return descriptor;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return descriptor;
  }
}
