/**
 * The view as it changes, shared by everybody who follows it. A door: it throttles by a timer.
 *
 * Agents step at every frame, and building a view costs milliseconds in a large mesh: it is built
 * once for all followers, no more often than every 25 ms, and seldom enough to take a tenth of
 * the time at most. A follower that is slow skips views; none are kept for it.
 */

import type { MeshView } from "../model/view.ts";
import type { Backend } from "./backend.ts";

const intervalMsMin = 25;
/** Ten times what a view costs: a tenth of the time. */
const costFactor = 10;

export class ViewFeed {
  readonly #backend: Pick<Backend, "view" | "onView">;
  readonly #waiting = new Set<() => void>();
  #followers = 0;
  #unsubscribe: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #version = 0;
  #built: { readonly version: number; readonly view: MeshView } | undefined;
  #firedAtMs = 0;
  #costMs = 0;

  constructor(backend: Pick<Backend, "view" | "onView">) {
    this.#backend = backend;
  }

  /** As it is now. */
  now(): MeshView {
    return this.#backend.view();
  }

  /** The view now, then whenever it may have changed, until the signal. */
  async *changes(signal: AbortSignal): AsyncGenerator<MeshView> {
    this.#enter();
    try {
      let seen = -1;
      while (!signal.aborted) {
        if (seen === this.#version) {
          await this.#change(signal);
        } else {
          seen = this.#version;
          yield this.#read();
        }
      }
    } finally {
      this.#leave();
    }
  }

  #enter(): void {
    this.#followers++;
    if (this.#followers > 1) return;
    this.#version++;
    this.#unsubscribe = this.#backend.onView(() => this.#schedule());
  }

  #leave(): void {
    this.#followers--;
    if (this.#followers > 0) return;
    this.#unsubscribe();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#built = undefined;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const intervalMs = Math.max(intervalMsMin, costFactor * this.#costMs);
    const delayMs = Math.max(0, this.#firedAtMs + intervalMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#firedAtMs = performance.now();
      this.#version++;
      for (const wake of [...this.#waiting]) wake();
    }, delayMs);
  }

  #read(): MeshView {
    if (this.#built?.version === this.#version) return this.#built.view;
    const startedMs = performance.now();
    const view = this.#backend.view();
    this.#costMs = performance.now() - startedMs;
    this.#built = { version: this.#version, view };
    return view;
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
