/**
 * The main loop of a simulated process: what is handed to it runs at once, or in order once a
 * stall has ended, or never after the process has died. A part of the process that finds its
 * machine dying under it throws `Crash`.
 */

import type { World } from "./world.ts";

/** Thrown out of a port: the process dies here, in the middle of what it was doing. */
export class Crash extends Error {
  override readonly name = "Crash";
}

export class Loop {
  readonly #world: World;
  readonly #onCrash: () => void;
  readonly #waiting: (() => void)[] = [];
  #stalledUntilMs = 0;
  #dead = false;

  constructor(world: World, onCrash: () => void) {
    this.#world = world;
    this.#onCrash = onCrash;
  }

  isStalled(): boolean {
    return this.#world.nowMs() < this.#stalledUntilMs || this.#waiting.length > 0;
  }

  run(callback: () => void): void {
    if (this.#dead) return;
    if (this.isStalled()) {
      this.#waiting.push(callback);
      return;
    }
    this.#attempt(callback);
  }

  stall(forMs: number): void {
    const untilMs = this.#world.nowMs() + forMs;
    if (this.#dead || untilMs <= this.#stalledUntilMs) return;
    this.#stalledUntilMs = untilMs;
    this.#world.after(forMs, () => this.#resume());
  }

  kill(): void {
    this.#dead = true;
    this.#waiting.length = 0;
  }

  #resume(): void {
    if (this.#world.nowMs() < this.#stalledUntilMs) return;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#attempt(next);
      if (this.#dead) return;
    }
  }

  #attempt(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#onCrash();
    }
  }
}
