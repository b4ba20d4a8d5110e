/**
 * A service under load on virtual time: clients come at random, replicas have workers and queues,
 * and the balancer sees what connections would show it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Balancer, type Candidate } from "../../lb/balancer.ts";
import type { TaskId } from "../../model/ids.ts";
import { dice } from "./dice.ts";
import { endpoint } from "./rooms.ts";

type Below = (bound: number) => number;

type Replica = {
  /** Mean work of one request, ms; a replica does four at once. */
  readonly workMs: number;
  readonly isDown: (nowMs: number) => boolean;
  readonly freeMs: number[];
  /** When each request that it served came, ms. */
  readonly served: number[];
};

type Outcome = { readonly latencies: number[]; failed: number };

type End = { readonly atMs: number; readonly cameMs: number; readonly candidate: Candidate };

function replicas(count: number, workMs: number, isDown = (_nowMs: number) => false): Replica[] {
  return Array.from({ length: count }, () => {
    return { workMs, isDown, freeMs: [0, 0, 0, 0], served: [] };
  });
}

/** Of a mean, as independent events are apart. */
function exponential(below: Below, mean: number): number {
  return -Math.log((below(2 ** 32) + 1) / 2 ** 32) * mean;
}

class Simulation {
  readonly outcome: Outcome = { latencies: [], failed: 0 };
  readonly #replicas: readonly Replica[];
  readonly #below: Below = dice(7);
  readonly #balancer: Balancer;
  readonly #ends: End[] = [];

  constructor(all: readonly Replica[]) {
    this.#replicas = all;
    this.#balancer = new Balancer(this.#below);
    this.#balancer.update(
      all.map((_, index) => endpoint(index, 80)),
      "",
      0,
    );
  }

  run(requestsPerSecond: number, lastsMs: number): Outcome {
    let nowMs = 0;
    while (nowMs < lastsMs) {
      nowMs += exponential(this.#below, 1_000 / requestsPerSecond);
      this.#endUntil(nowMs);
      this.#come(nowMs);
    }
    this.#endUntil(Number.MAX_VALUE);
    return this.outcome;
  }

  #come(nowMs: number): void {
    const tried = new Set<TaskId>();
    while (tried.size < 3) {
      const candidate = this.#balancer.pick(nowMs, tried) as Candidate;
      const chosen = this.#replicas[Number(candidate.endpoint.slot)] as Replica;
      tried.add(candidate.endpoint.task);
      if (!chosen.isDown(nowMs)) {
        this.#serve(chosen, candidate, nowMs);
        return;
      }
      this.#balancer.failed(candidate, nowMs);
    }
    this.outcome.failed++;
  }

  #serve(chosen: Replica, candidate: Candidate, nowMs: number): void {
    this.#balancer.begin(candidate);
    chosen.served.push(nowMs);
    const worker = chosen.freeMs.indexOf(Math.min(...chosen.freeMs));
    const startMs = Math.max(nowMs, chosen.freeMs[worker] as number);
    const atMs = startMs + exponential(this.#below, chosen.workMs);
    chosen.freeMs[worker] = atMs;
    const later = this.#ends.findIndex((end) => end.atMs > atMs);
    const end = { atMs, cameMs: nowMs, candidate };
    this.#ends.splice(later < 0 ? this.#ends.length : later, 0, end);
  }

  #endUntil(nowMs: number): void {
    while ((this.#ends[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const { atMs, cameMs, candidate } = this.#ends.shift() as End;
      this.#balancer.answered(candidate, atMs - cameMs, atMs);
      this.#balancer.finish(candidate);
      this.outcome.latencies.push(atMs - cameMs);
    }
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(share * (sorted.length - 1))] as number;
}

function counts(all: readonly Replica[]): number[] {
  return all.map(({ served }) => served.length);
}

test("two of twenty that are five times slower get fairly less, and nobody starves", () => {
  const [fast, slow] = [replicas(18, 20), replicas(2, 100)];
  // 60 % of what all can do together: an equal share would be nearly three times too much for
  // the slow ones.
  const { latencies } = new Simulation([...fast, ...slow]).run(2_200, 20_000);
  const equal = latencies.length / 20;
  for (const count of counts(slow)) {
    assert.ok(count > equal * 0.04 && count < equal * 0.36, `slow: ${count} of ${equal}`);
  }
  for (const count of counts(fast)) {
    assert.ok(count > equal * 0.8 && count < equal * 1.35, `fast: ${count} of ${equal}`);
  }
  // Whoever serves, its own work is exponential: 4.6 times the mean at the 99th percentile.
  assert.ok(quantile(latencies, 0.5) < 30, `p50 ${quantile(latencies, 0.5)}`);
  assert.ok(quantile(latencies, 0.99) < 250, `p99 ${quantile(latencies, 0.99)}`);
});

test("under light load as well, the slow ones are asked now and then", () => {
  const [fast, slow] = [replicas(18, 20), replicas(2, 100)];
  new Simulation([...fast, ...slow]).run(50, 120_000);
  for (const count of [...counts(fast), ...counts(slow)]) assert.ok(count > 20, `${count}`);
});

test("one that refuses for 20 s costs no client anything, is left alone, and is used again", () => {
  const isDown = (nowMs: number): boolean => nowMs >= 10_000 && nowMs < 30_000;
  const [steady, broken] = [replicas(9, 20), replicas(1, 20, isDown)];
  const { failed } = new Simulation([...steady, ...broken]).run(800, 90_000);
  assert.equal(failed, 0);
  const [{ served }] = broken as [Replica];
  const before = served.filter((atMs) => atMs < 10_000).length;
  const after = served.filter((atMs) => atMs >= 80_000).length;
  assert.ok(after > before * 0.8, `${before} before, ${after} after`);
});

test("one that comes back slow after its refusals does not get more than it can serve", () => {
  const [steady, broken] = [replicas(9, 20), replicas(1, 100, (nowMs) => nowMs < 10_000)];
  new Simulation([...steady, ...broken]).run(800, 60_000);
  const late = (broken[0] as Replica).served.filter((atMs) => atMs >= 30_000).length;
  assert.ok(late > 30 && late < 30 * 40, `${late}`);
});
