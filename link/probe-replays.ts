/**
 * Tells a datagram seen before from a new one, by the sender's session and count. Sliding window
 * as in RFC 6479, one word per session. Sessions long unheard are forgotten: a repeat of such a
 * one passes, and what can be done with it is bounded elsewhere (link/probe-watch.ts believes only
 * answers that it waits for, and an answer is as large as its question).
 */

/** How far a datagram may come behind a younger one of its session. */
const windowSize = 32;
/** A node of a large mesh hears from a few dozen others; their restarts come on top. */
const sessionsMax = 1_024;

type Window = { highest: number; seen: number };

export class ProbeReplays {
  readonly #windows = new Map<string, Window>();

  /** Whether this datagram is new. Only for those whose seal has been checked. */
  accept(session: string, count: number): boolean {
    const window = this.#windows.get(session);
    if (window === undefined) {
      this.#remember(session, { highest: count, seen: 1 });
      return true;
    }
    const behind = window.highest - count;
    if (behind >= windowSize) return false;
    if (behind >= 0) {
      const bit = 1 << behind;
      if ((window.seen & bit) !== 0) return false;
      window.seen |= bit;
      return true;
    }
    // A shift by 32 or more would shift by the remainder.
    window.seen = -behind >= windowSize ? 1 : (window.seen << -behind) | 1;
    window.highest = count;
    this.#remember(session, window);
    return true;
  }

  /** The Map's order is the order of use: the first is the one unheard for longest. */
  #remember(session: string, window: Window): void {
    this.#windows.delete(session);
    this.#windows.set(session, window);
    if (this.#windows.size <= sessionsMax) return;
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined) this.#windows.delete(oldest);
  }
}
