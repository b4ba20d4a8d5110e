/** Time and chance as they are, for the ports. A door. */

import { randomInt } from "node:crypto";
import type { Clock, Random } from "../ports.ts";

/** setTimeout takes no more than this, ms. */
const delayMsMax = 2 ** 31 - 1;

export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, delayMsMax));
    return () => clearTimeout(timer);
  },
};

export const realRandom: Random = { below: (bound) => randomInt(bound) };
