/**
 * Watches one running task: performs its checks when they are due and tells when the verdict
 * changes. A door; checks.ts judges, the engine says how a command is run inside the task.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Check, CheckTest } from "../model/spec.ts";
import { begin, type CheckState, conclude, judge, nextDelayMs, type Verdict } from "./checks.ts";
import { accepts } from "./probe.ts";

export type WatchPlan = {
  readonly liveness: Check | undefined;
  /** After its first success the engine goes on by itself, with its own HEALTHCHECK. */
  readonly livenessOnce: boolean;
  readonly readiness: Check | undefined;
  /** Where there is no check at all: ports that must have accepted once. See `portPatienceMs`. */
  readonly ports: readonly number[];
  readonly address: string;
  /** Unix ms. */
  readonly startedAtMs: number;
};

/** True, false, or undefined when it could not be found out: the engine is gone, say. */
export type Performer = (
  test: CheckTest,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<boolean | undefined>;

/**
 * A task without any check gets traffic once its TCP ports accept. One that never listens where
 * its spec says gets it after this time all the same, ms: the spec may be wrong, as in Swarm,
 * and the balancer passes over what refuses.
 */
const portPatienceMs = 30_000;
const portTimeoutMs = 1_000;
/** Pause between tries grows from 20 ms by half: a server is up in 50 ms, or in seconds. */
const portPauseMs = { first: 20, growth: 1.5, most: 1_000 };

export class TaskWatch {
  /** Each check has had its first result. */
  readonly firstRound: Promise<void>;
  readonly #plan: WatchPlan;
  readonly #perform: Performer;
  readonly #onChange: () => void;
  readonly #closing = new AbortController();
  readonly #bornMs: number;
  #liveness: CheckState | undefined;
  #readiness: CheckState | undefined;
  #engineHealth: Verdict["health"] = "none";
  #portsOpen: boolean;
  #last: string;

  constructor(plan: WatchPlan, perform: Performer, onChange: () => void) {
    this.#plan = plan;
    this.#perform = perform;
    this.#onChange = onChange;
    const ageMs = Math.max(0, Date.now() - plan.startedAtMs);
    this.#bornMs = performance.now() - ageMs;
    this.#portsOpen = plan.ports.length === 0 || ageMs >= portPatienceMs;
    if (plan.liveness !== undefined) this.#liveness = begin(ageMs);
    if (plan.readiness !== undefined) this.#readiness = begin(ageMs);
    this.#last = JSON.stringify(this.verdict);
    this.firstRound = this.#begin();
  }

  get verdict(): Verdict {
    return conclude({
      liveness: this.#liveness,
      readiness: this.#readiness,
      engineHealth: this.#engineHealth,
      portsOpen: this.#portsOpen,
    });
  }

  /** What the engine's own health checking says, whenever it says something new. */
  heed(engineHealth: Verdict["health"]): void {
    this.#engineHealth = engineHealth;
    this.#tell();
  }

  close(): void {
    this.#closing.abort();
  }

  get #engineKnows(): boolean {
    return this.#engineHealth === "healthy" || this.#engineHealth === "unhealthy";
  }

  get #ageMs(): number {
    return performance.now() - this.#bornMs;
  }

  async #begin(): Promise<void> {
    const { liveness, livenessOnce, readiness } = this.#plan;
    const firsts: Promise<void>[] = [];
    if (liveness !== undefined) {
      const step = (passed: boolean): CheckState => {
        const state = judge(this.#liveness as CheckState, liveness, passed, this.#ageMs);
        // The engine alone says unhealthy where it does the checking.
        this.#liveness = livenessOnce && state.standing === "failing" ? begin(this.#ageMs) : state;
        return this.#liveness;
      };
      firsts.push(this.#repeat(liveness, step, livenessOnce));
    }
    if (readiness !== undefined) {
      const step = (passed: boolean): CheckState => {
        this.#readiness = judge(this.#readiness as CheckState, readiness, passed, this.#ageMs);
        return this.#readiness;
      };
      firsts.push(this.#repeat(readiness, step, false));
    }
    if (!this.#portsOpen) firsts.push(this.#awaitPorts());
    await Promise.all(firsts);
  }

  /** Resolves after the first result; the repetition goes on behind it. */
  #repeat(check: Check, step: (passed: boolean) => CheckState, once: boolean): Promise<void> {
    return new Promise((resolve) => {
      const run = async (): Promise<void> => {
        const { signal } = this.#closing;
        let state = begin(this.#ageMs);
        while (!signal.aborted) {
          const passed = await this.#perform(check.test, check.timeoutMs, signal);
          if (signal.aborted) break;
          if (passed !== undefined) state = step(passed);
          this.#tell();
          resolve();
          if (once && (state.standing === "passing" || this.#engineKnows)) break;
          await this.#pause(nextDelayMs(state, check, this.#ageMs));
        }
      };
      void run().finally(resolve);
    });
  }

  /** Resolves after the first try of all ports. */
  #awaitPorts(): Promise<void> {
    return new Promise((resolve) => {
      const run = async (): Promise<void> => {
        const { signal } = this.#closing;
        let pauseMs = portPauseMs.first;
        while (!signal.aborted && !this.#portsOpen) {
          const tries = this.#plan.ports.map((port) =>
            accepts(this.#plan.address, port, portTimeoutMs, signal),
          );
          const all = (await Promise.all(tries)).every(Boolean);
          if (signal.aborted) break;
          this.#portsOpen = all || this.#ageMs >= portPatienceMs;
          this.#tell();
          resolve();
          if (!this.#portsOpen) await this.#pause(pauseMs);
          pauseMs = Math.min(pauseMs * portPauseMs.growth, portPauseMs.most);
        }
      };
      void run().finally(resolve);
    });
  }

  async #pause(delayMs: number): Promise<void> {
    // An abort ends the pause early, and the loop after it.
    await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {});
  }

  #tell(): void {
    const now = JSON.stringify(this.verdict);
    if (now === this.#last || this.#closing.signal.aborted) return;
    this.#last = now;
    this.#onChange();
  }
}
