/**
 * How often each replica failed in a row, by revision: a revision that was mended is tried at
 * once, however long its forerunner crashed. Times are monotonic ms.
 */

import type { ReplicaId, RevisionId, ServiceId } from "../model/ids.ts";
import type { Config } from "./config.ts";

/** Long enough that nothing that still fails is forgotten between two tries. */
const keptFactor = 4;

export type FailureKey = {
  readonly service: ServiceId;
  readonly replica: ReplicaId;
  readonly revision: RevisionId;
};
type Failure = { readonly service: ServiceId; readonly count: number; readonly lastMs: number };

export class Failures {
  readonly #config: Config;
  readonly #failures = new Map<string, Failure>();

  constructor(config: Config) {
    this.#config = config;
  }

  count(of: FailureKey): number {
    return this.#failures.get(keyOf(of))?.count ?? 0;
  }

  /** What its rows said before this agent started. */
  restore(of: FailureKey, count: number, nowMs: number): void {
    const known = Math.max(count, this.count(of));
    if (known > 0) this.#set(of, known, nowMs);
  }

  /** One more, after it ran for this long. */
  note(of: FailureKey, ranMs: number, nowMs: number): void {
    const before = ranMs >= this.#config.forgivenMs ? 0 : this.count(of);
    const { forgivenMs, retryMaxMs } = this.#config;
    for (const [key, { lastMs }] of this.#failures) {
      if (nowMs - lastMs > keptFactor * (forgivenMs + retryMaxMs)) this.#failures.delete(key);
    }
    this.#set(of, before + 1, nowMs);
  }

  #set(of: FailureKey, count: number, lastMs: number): void {
    this.#failures.set(keyOf(of), { service: of.service, count, lastMs });
  }

  forgive(of: FailureKey): void {
    this.#failures.delete(keyOf(of));
  }

  /** Whoever deploys a removed service again starts anew, however its forerunner ended. */
  keepOnly(services: { has(service: ServiceId): boolean }): void {
    for (const [key, { service }] of this.#failures) {
      if (!services.has(service)) this.#failures.delete(key);
    }
  }

  /** When it may be tried again; in the past when it may be now. */
  retryAtMs(of: FailureKey, delayMs: number): number {
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

function keyOf({ replica, revision }: FailureKey): string {
  return `${replica} ${revision}`;
}
