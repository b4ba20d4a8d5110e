/** What whoever joins two streams tells about them, each at most once. Pure. */

import type { Duplex } from "node:stream";

export interface Watch {
  /** First bytes of the near side (the client's). */
  asked(): void;
  /** First bytes of the far side (the endpoint's). */
  answered(): void;
}

/** Both directions have come to their proper end. */
export function isWhole(stream: Duplex): boolean {
  return stream.readableEnded && stream.writableFinished;
}
