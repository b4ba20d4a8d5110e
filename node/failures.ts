/**
 * How often each replica failed in a row, by revision: a revision that was mended is tried at
 * once, however long its forerunner crashed. Times are monotonic ms.
 */

import type { ReplicaId, RevisionId } from "../model/ids.ts";
import type { Config } from "./config.ts";

/** Long enough that nothing that still fails is forgotten between two tries. */
const keptFactor = 4;

type Of = { readonly replica: ReplicaId; readonly revision: RevisionId };
type Failure = { readonly count: number; readonly lastMs: number };

export class Failures {
  readonly #config: Config;
  readonly #failures = new Map<string, Failure>();

  constructor(config: Config) {
    this.#config = config;
  }

  count(of: Of): number {
    return this.#failures.get(keyOf(of))?.count ?? 0;
  }

  /** What its rows said before this agent started. */
  restore(of: Of, count: number, nowMs: number): void {
    const known = Math.max(count, this.count(of));
    if (known > 0) this.#failures.set(keyOf(of), { count: known, lastMs: nowMs });
  }

  /** One more, after it ran for this long. */
  note(of: Of, ranMs: number, nowMs: number): void {
    const before = ranMs >= this.#config.forgivenMs ? 0 : this.count(of);
    const { forgivenMs, retryMaxMs } = this.#config;
    for (const [key, { lastMs }] of this.#failures) {
      if (nowMs - lastMs > keptFactor * (forgivenMs + retryMaxMs)) this.#failures.delete(key);
    }
    this.#failures.set(keyOf(of), { count: before + 1, lastMs: nowMs });
  }

  forgive(of: Of): void {
    this.#failures.delete(keyOf(of));
  }

  /** When it may be tried again; in the past when it may be now. */
  retryAtMs(of: Of, delayMs: number): number {
    const failure = this.#failures.get(keyOf(of));
    if (failure === undefined) return Number.NEGATIVE_INFINITY;
    return failure.lastMs + backoff(failure.count, delayMs, this.#config);
  }
}

/** One quick try, then doubling from the spec's own delay. */
export function backoff(failures: number, delayMs: number, config: Config): number {
  if (failures <= 1) return config.retryMinMs;
  const base = Math.max(delayMs, config.retryMinMs);
  return Math.min(base * 2 ** Math.min(failures - 2, 16), config.retryMaxMs);
}

function keyOf({ replica, revision }: Of): string {
  return `${replica} ${revision}`;
}
