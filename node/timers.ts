/** The timers of an agent: which are armed, so that what is due soon anyway is not set again. */

import type { Moment } from "../model/moment.ts";
import type { Effect, Timer } from "./effects.ts";

export class Timers {
  readonly #armed = new Set<Timer>();

  /** No later than a timer that is armed already; at once when `delayMs` is 0. */
  soon(timer: Timer, delayMs: number): Effect[] {
    if (this.#armed.has(timer) && delayMs > 0) return [];
    return this.set(timer, delayMs);
  }

  /** At that time, whatever was set before. Never when it is infinite. */
  at(timer: Timer, atMs: number, { monotonicMs }: Moment): Effect[] {
    if (!Number.isFinite(atMs)) return [];
    return this.set(timer, Math.max(1, Math.ceil(atMs - monotonicMs)));
  }

  set(timer: Timer, delayMs: number): Effect[] {
    this.#armed.add(timer);
    return [{ kind: "set-timer", timer, delayMs }];
  }

  fired(timer: Timer): void {
    this.#armed.delete(timer);
  }
}
