/**
 * Chooses an endpoint for a new connection, or for a new flow of datagrams. Pure: time and dice
 * are handed in. One balancer a service and target port; begin reading at `pick`.
 *
 * - Power of two choices: of two drawn at random the less loaded one. Mitzenmacher, "The Power of
 *   Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001.
 * - Load is a peak-sensitive moving average of latency × (in flight + 1): it jumps to a slow
 *   answer and decays by age. Finagle, `PeakEwma`. There it decays to nothing, which sends
 *   strangers and the long unused ahead of all; here to what is typical of the service.
 * - Locality: the better of two on this node, in its zone and elsewhere, each with its distance as
 *   a factor on its load. So a local endpoint is taken first, but not when it carries four times
 *   the load of one elsewhere. Every fourth draw is from all alike: what is known of far ones stays
 *   fresh, and no replica is idle because clients come in elsewhere.
 * - Slow start: an endpoint that is new, or back from ejection, takes part in a growing share of
 *   the draws. Envoy, "Slow start mode".
 * - Passive ejection: failures in a row put an endpoint out for a growing time, never the last
 *   one. Envoy, "Outlier detection".
 */

import assert from "node:assert/strict";
import type { TaskId } from "../model/ids.ts";
import type { Endpoint } from "../model/routing.ts";

export type BalancerConfig = {
  /** Time constant of the moving average, ms. Finagle's default; shorter forgets sooner. */
  readonly decayMs: number;
  /** Latencies below this, ms, count as equal: on one host they are noise. */
  readonly floorMs: number;
  /** A longer answer counts as this, ms: it was the client that took its time. */
  readonly latencyMaxMs: number;
  /** A failure counts as an answer this slow, ms: failing fast must not look like being fast. */
  readonly penaltyMs: number;
  /** How long a newcomer's share grows, ms: time to warm caches and compile. */
  readonly slowStartMs: number;
  /** A newcomer's share of draws at first, (0, 1]. */
  readonly slowStartLeast: number;
  /** Failures in a row that eject. Ejection does not end the row: after it one more does. */
  readonly failuresMax: number;
  /** First ejection, ms; doubles with each that follows. */
  readonly ejectMinMs: number;
  readonly ejectMaxMs: number;
  /** So long without a failure, ms, and the next ejection is a first one again. */
  readonly forgivenMs: number;
};

export const balancerDefaults: BalancerConfig = {
  decayMs: 10_000,
  floorMs: 1,
  latencyMaxMs: 10_000,
  penaltyMs: 1_000,
  slowStartMs: 10_000,
  slowStartLeast: 0.1,
  failuresMax: 3,
  ejectMinMs: 1_000,
  ejectMaxMs: 60_000,
  forgivenMs: 60_000,
};

/** Factors on the load of endpoints on this node, in its zone, elsewhere. */
const distances = [1, 2, 4] as const;

/** One draw in so many knows no distance. */
const roamOneIn = 4;

/** Weight of one answer in what is typical of the service. */
const typicalShare = 0.05;

/** An endpoint as the balancer knows it. Others read it and hand it back. */
export interface Candidate {
  readonly endpoint: Endpoint;
  /** Connections or flows that are with it. */
  readonly inFlight: number;
  /** Still in the routing table. */
  readonly listed: boolean;
}

type Load = {
  endpoint: Endpoint;
  inFlight: number;
  listed: boolean;
  /** The moving average as it was at `heardMs`; -Infinity when it never answered. */
  latencyMs: number;
  heardMs: number;
  /** Since when its share grows. */
  bornMs: number;
  failures: number;
  failedMs: number;
  ejections: number;
  ejectedUntilMs: number;
};

export class Balancer {
  readonly #below: (bound: number) => number;
  readonly #config: BalancerConfig;
  readonly #loads = new Map<TaskId, Load>();
  #zone = "";
  /** Whom to draw from: one list a distance. */
  #tiers: readonly (readonly Load[])[] = [];
  /** When the next ejected one comes back. */
  #returnMs = Number.POSITIVE_INFINITY;
  #typicalMs = 0;

  /** `below` gives a uniform integer in [0, bound). */
  constructor(below: (bound: number) => number, config: BalancerConfig = balancerDefaults) {
    this.#below = below;
    this.#config = config;
  }

  /** Level: all endpoints of the service that have the port. `zone` is this node's, "" for none. */
  update(endpoints: readonly Endpoint[], zone: string, nowMs: number): void {
    // A service's first endpoints have nobody to be slower than.
    const bornMs = this.#loads.size === 0 ? Number.NEGATIVE_INFINITY : nowMs;
    for (const load of this.#loads.values()) load.listed = false;
    for (const endpoint of endpoints) {
      const known = this.#loads.get(endpoint.task);
      if (known === undefined) this.#loads.set(endpoint.task, newLoad(endpoint, bornMs));
      else Object.assign(known, { endpoint, listed: true });
    }
    for (const load of this.#loads.values()) this.#forget(load);
    this.#zone = zone;
    this.#arrange(nowMs);
  }

  /** Whom to try next; undefined when there is none. Draining and `tried` ones are never chosen. */
  pick(nowMs: number, tried?: ReadonlySet<TaskId> | undefined): Candidate | undefined {
    if (nowMs >= this.#returnMs) this.#arrange(nowMs);
    if (tried === undefined || tried.size === 0) return this.#draw(this.#tiers, nowMs);
    const untried = this.#open().filter(({ endpoint }) => !tried.has(endpoint.task));
    const fit = untried.filter(({ ejectedUntilMs }) => ejectedUntilMs <= nowMs);
    return this.#draw(this.#byDistance(fit.length > 0 ? fit : untried), nowMs);
  }

  begin(candidate: Candidate): void {
    (candidate as Load).inFlight++;
  }

  finish(candidate: Candidate): void {
    const load = candidate as Load;
    assert.ok(load.inFlight > 0, "a connection finishes once");
    load.inFlight--;
    this.#forget(load);
  }

  /** It answered `latencyMs` after it was asked. */
  answered(candidate: Candidate, latencyMs: number, nowMs: number): void {
    const load = candidate as Load;
    const sample = Math.min(latencyMs, this.#config.latencyMaxMs);
    const before = this.#latency(load, nowMs);
    const kept = load.latencyMs < 0 ? 0 : this.#remembered(load, nowMs);
    load.latencyMs = sample > before ? sample : sample + (before - sample) * kept;
    load.heardMs = nowMs;
    load.failures = 0;
    if (nowMs - load.failedMs >= this.#config.forgivenMs) load.ejections = 0;
    const share = this.#typicalMs === 0 ? 1 : typicalShare;
    this.#typicalMs += (sample - this.#typicalMs) * share;
  }

  /** It refused, did not answer in time, or hung up before it said anything. */
  failed(candidate: Candidate, nowMs: number): void {
    const load = candidate as Load;
    load.latencyMs = Math.max(this.#latency(load, nowMs), this.#config.penaltyMs);
    load.heardMs = nowMs;
    if (nowMs - load.failedMs >= this.#config.forgivenMs) load.ejections = 0;
    load.failedMs = nowMs;
    load.failures++;
    if (load.failures >= this.#config.failuresMax) this.#eject(load, nowMs);
  }

  #eject(load: Load, nowMs: number): void {
    if (load.ejectedUntilMs > nowMs) return;
    const others = this.#open().some((one) => one !== load && one.ejectedUntilMs <= nowMs);
    if (!others) return;
    const { ejectMinMs, ejectMaxMs } = this.#config;
    load.ejectedUntilMs = nowMs + Math.min(ejectMaxMs, ejectMinMs * 2 ** load.ejections);
    load.ejections++;
    load.bornMs = load.ejectedUntilMs;
    this.#arrange(nowMs);
  }

  /** Those that may get new connections. */
  #open(): Load[] {
    return [...this.#loads.values()].filter(({ listed, endpoint }) => listed && !endpoint.draining);
  }

  #arrange(nowMs: number): void {
    const open = this.#open();
    const fit = open.filter(({ ejectedUntilMs }) => ejectedUntilMs <= nowMs);
    // When the others have left the table, the ejected are better than nothing.
    this.#tiers = this.#byDistance(fit.length > 0 ? fit : open);
    this.#returnMs = Math.min(
      ...open.map(({ ejectedUntilMs }) =>
        ejectedUntilMs > nowMs ? ejectedUntilMs : Number.POSITIVE_INFINITY,
      ),
    );
  }

  #byDistance(loads: readonly Load[]): Load[][] {
    const tiers: [Load[], Load[], Load[]] = [[], [], []];
    for (const load of loads) {
      const { local, zone } = load.endpoint;
      tiers[local ? 0 : zone !== "" && zone === this.#zone ? 1 : 2].push(load);
    }
    return tiers;
  }

  #draw(near: readonly (readonly Load[])[], nowMs: number): Load | undefined {
    const tiers = this.#below(roamOneIn) === 0 ? [near.flat()] : near;
    let best: Load | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    for (const [index, tier] of tiers.entries()) {
      const better = this.#betterOfTwo(tier, nowMs);
      if (better === undefined) continue;
      const score = this.#score(better, nowMs) * (distances[index] as number);
      if (score < bestScore) [best, bestScore] = [better, score];
    }
    if (best !== undefined) return best;
    // All that were drawn are new and sat out: then the nearest serve.
    const nearest = tiers.find(({ length }) => length > 0);
    return nearest?.[this.#below(nearest.length)];
  }

  #betterOfTwo(tier: readonly Load[], nowMs: number): Load | undefined {
    const { length } = tier;
    if (length === 0) return undefined;
    const at = length === 1 ? 0 : this.#below(length);
    const first = this.#unlessSitsOut(tier[at] as Load, nowMs);
    if (length === 1) return first;
    const other = this.#below(length - 1);
    const second = this.#unlessSitsOut(tier[other < at ? other : other + 1] as Load, nowMs);
    if (first === undefined || second === undefined) return first ?? second;
    return this.#score(second, nowMs) < this.#score(first, nowMs) ? second : first;
  }

  #unlessSitsOut(load: Load, nowMs: number): Load | undefined {
    const { slowStartMs, slowStartLeast } = this.#config;
    const share = (nowMs - load.bornMs) / slowStartMs;
    if (share >= 1) return load;
    return this.#below(1_000) < 1_000 * Math.max(slowStartLeast, share) ? load : undefined;
  }

  #score(load: Load, nowMs: number): number {
    return Math.max(this.#config.floorMs, this.#latency(load, nowMs)) * (load.inFlight + 1);
  }

  /** What to expect of it now, ms. */
  #latency(load: Load, nowMs: number): number {
    if (load.latencyMs < 0) return this.#typicalMs;
    return this.#typicalMs + (load.latencyMs - this.#typicalMs) * this.#remembered(load, nowMs);
  }

  #remembered(load: Load, nowMs: number): number {
    return Math.exp((load.heardMs - nowMs) / this.#config.decayMs);
  }

  /** One that left the table is remembered while connections are with it: it may be back. */
  #forget(load: Load): void {
    if (!load.listed && load.inFlight === 0) this.#loads.delete(load.endpoint.task);
  }
}

function newLoad(endpoint: Endpoint, bornMs: number): Load {
  return {
    endpoint,
    inFlight: 0,
    listed: true,
    latencyMs: Number.NEGATIVE_INFINITY,
    heardMs: 0,
    bornMs,
    failures: 0,
    failedMs: Number.NEGATIVE_INFINITY,
    ejections: 0,
    ejectedUntilMs: Number.NEGATIVE_INFINITY,
  };
}
