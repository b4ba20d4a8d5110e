/**
 * A client's first question to an endpoint of another node, watched until its answer begins: while
 * nothing has come back and the question may be sent again, the loss of that node costs the client
 * nothing. A door; begin reading at `askFirst`.
 *
 * Only the loss of the node counts. An endpoint that resets may have done what it was asked, or
 * have died of it, and is not to be followed by the next one.
 */

import type { Duplex } from "node:stream";
import { maySendAgain } from "./question.ts";

/** What `link/stream-duplex.ts` says of a stream whose connection has gone. */
const lostCode = "ECONNABORTED";

const nothing = Buffer.alloc(0);

/**
 * Passes the client's first bytes on and waits for what comes next. Resolves with what is to be
 * asked of another endpoint when the node was lost: those bytes, or none when none were sent yet.
 * Resolves with undefined when the two sides are to be joined, whatever has become of them.
 */
export async function askFirst(
  client: Duplex,
  far: Duplex,
  asked: () => void,
): Promise<Buffer | undefined> {
  await stirred(client, far);
  if (isLost(far)) return isOver(client) ? undefined : nothing;
  if (far.readableLength > 0 || isOver(far)) return undefined;
  const question: Buffer | null = client.read();
  if (question === null) return undefined;
  asked();
  far.write(question);
  if (!maySendAgain(question)) return undefined;
  await stirred(client, far);
  return isLost(far) && !isOver(client) ? question : undefined;
}

/** Without a byte to us, before or after. */
function isLost(far: Duplex): boolean {
  const { code } = (far.errored ?? {}) as NodeJS.ErrnoException;
  return code === lostCode && far.readableLength === 0 && !far.readableEnded;
}

function isOver(stream: Duplex): boolean {
  return stream.destroyed || stream.readableEnded;
}

/** One of them has something to read, has ended, or is gone. */
function stirred(client: Duplex, far: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const stream of [client, far]) {
        stream.off("readable", settle);
        stream.off("close", settle);
      }
      resolve();
    };
    for (const stream of [client, far]) {
      stream.on("close", settle);
      stream.on("readable", settle);
    }
    if (client.destroyed || far.destroyed) settle();
  });
}
