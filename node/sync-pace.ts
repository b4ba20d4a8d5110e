/**
 * How often to compare state with a peer: rarely while all is equal and quiet, soon after anything
 * changed, since what was broadcast may have been lost on the way to somebody. Whoever missed the
 * only news there was cannot know, so it is those who have it that ask around. Pure.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987,
 * section 1.4: rumours are spread while they are hot, anti-entropy backs them up.
 */

import type { Moment } from "../model/moment.ts";
import type { Config } from "./config.ts";

/** Each quiet round makes the next one later by this factor. */
const slackening = 1.5;

export class SyncPace {
  readonly #config: Config;
  #intervalMs: number;
  #roundMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(config: Config) {
    this.#config = config;
    this.#intervalMs = config.syncMinMs;
  }

  /** Ms until the first round, spread so that a mesh that starts at once does not ask at once. */
  first({ monotonicMs, dice }: Moment): number {
    const delayMs = 100 + (dice % this.#config.syncMinMs);
    this.#dueMs = monotonicMs + delayMs;
    return delayMs;
  }

  /** A round is being made: ms until the next. `convergedAgoMs` tells how the last ones ended. */
  next(convergedAgoMs: number, { monotonicMs, dice }: Moment): number {
    const { syncMinMs, syncMaxMs } = this.#config;
    const isEqual = convergedAgoMs <= monotonicMs - this.#roundMs;
    this.#intervalMs = isEqual ? Math.min(this.#intervalMs * slackening, syncMaxMs) : syncMinMs;
    this.#roundMs = monotonicMs;
    return this.#after(this.#intervalMs, monotonicMs, dice);
  }

  /** Something changed: ms until the next round, or undefined when it comes soon anyway. */
  stir({ monotonicMs, dice }: Moment): number | undefined {
    this.#intervalMs = this.#config.syncMinMs;
    if (this.#dueMs <= monotonicMs + this.#intervalMs * 1.25) return undefined;
    return this.#after(this.#intervalMs, monotonicMs, dice);
  }

  /** Jittered by a quarter. */
  #after(intervalMs: number, nowMs: number, dice: number): number {
    const delayMs = Math.round(intervalMs * (0.75 + (dice % 512) / 1024));
    this.#dueMs = nowMs + delayMs;
    return delayMs;
  }
}
