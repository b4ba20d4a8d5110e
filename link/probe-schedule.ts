/**
 * All the members that this node probes, as a state machine: events in, datagrams and verdicts
 * out. No I/O, no clock, dice from outside: link/probe-worker.ts feeds it from a socket, sim/ from
 * simulated datagrams. Addresses are opaque texts here.
 *
 * The caller steps it with `due` no sooner than `dueMs`, after it has handed over every datagram
 * that has arrived by then: an answer that waits in a queue is not a miss. It may be late; then
 * what was missed meanwhile does not count, for it was not looking. A machine that stalls again
 * and again becomes more patient with others (Lifeguard's local health, see link/probe-watch.ts).
 */

import type { NodeId } from "../model/ids.ts";
import type { ProbeTarget, ProbeVerdict, Random } from "../ports.ts";
import { type ProbeTimes, ProbeWatch } from "./probe-watch.ts";

export type ProbeEvent = Readonly<
  /** Level: the whole list each time. */
  | { kind: "observe"; targets: readonly ProbeTarget[] }
  | { kind: "hasten"; node: NodeId }
  /** An answer by that member; `lagMs` since its main loop turned last. */
  | { kind: "answered"; node: NodeId; sequence: number; lagMs: number }
  /** A probe by that member came from this address. */
  | { kind: "heard"; node: NodeId; address: string }
  /** The machine was suspended: clocks of the two kinds have parted. */
  | { kind: "slept" }
  | { kind: "due" }
>;

export type ProbeSend = {
  readonly node: NodeId;
  readonly address: string;
  /** Unique among this node's probes; the answer repeats it. Below 2^48. */
  readonly sequence: number;
};

export type ProbeStep = {
  readonly sends: readonly ProbeSend[];
  readonly verdicts: readonly ProbeVerdict[];
  /** False for an answer that nobody waited for: late, repeated or replayed. */
  readonly expected: boolean;
};

/** A schedule with nothing to do still wakes this often, ms: it notices a stall by being late. */
const pulseMs = 500;
/** Stalls make at most this much patience: timeouts of four times the usual. */
const strainMax = 3;
/** This long without a stall takes one step of it back, ms. */
const recoveryMs = 5_000;

export class ProbeSchedule {
  readonly #times: ProbeTimes;
  readonly #random: Random;
  readonly #watches = new Map<NodeId, ProbeWatch>();
  #sequence: number;
  /** When to turn at the latest. */
  #pulseMs: number;
  #dueMs: number;
  #awakeSinceMs: number;
  /** Patience beyond the usual, and when it changed last. */
  #strain = 0;
  #strainedMs = 0;
  #stalls = 0;

  constructor(times: ProbeTimes, random: Random, nowMs: number) {
    this.#times = times;
    this.#random = random;
    this.#pulseMs = nowMs + pulseMs;
    this.#dueMs = this.#pulseMs;
    this.#awakeSinceMs = nowMs;
    // Answers to an earlier life of this node must not fit: 46 random bits, with room above.
    this.#sequence = random.below(2 ** 31) * 2 ** 15 + random.below(2 ** 15);
  }

  dueMs(): number {
    return this.#dueMs;
  }

  stalls(): number {
    return this.#stalls;
  }

  /**
   * What to tell others of our main loop: since when it has not turned. Time in which this thread
   * did not run either says nothing about it.
   */
  lagMs(beatMs: number, nowMs: number): number {
    this.#noticeStall(nowMs);
    return Math.max(0, Math.min(nowMs - beatMs, nowMs - this.#awakeSinceMs));
  }

  on(event: ProbeEvent, nowMs: number): ProbeStep {
    this.#noticeStall(nowMs);
    switch (event.kind) {
      case "observe":
        this.#observe(event.targets, nowMs);
        return this.#rest();
      case "hasten":
        this.#watches.get(event.node)?.hasten(nowMs);
        return this.#rest();
      case "answered": {
        const watch = this.#watches.get(event.node);
        const expected = watch?.answer(event.sequence, event.lagMs, nowMs) ?? false;
        const verdict = watch?.report(nowMs);
        return this.#rest(verdict === undefined ? [] : [verdict], expected);
      }
      case "heard":
        this.#watches.get(event.node)?.hear(event.address);
        return this.#rest();
      case "slept":
        this.#stalled(nowMs);
        return this.#rest();
      case "due":
        return this.#turn(nowMs);
    }
  }

  #observe(targets: readonly ProbeTarget[], nowMs: number): void {
    const wanted = new Set(targets.map(({ node }) => node));
    for (const node of [...this.#watches.keys()]) {
      if (!wanted.has(node)) this.#watches.delete(node);
    }
    for (const target of targets) {
      const watch = this.#watches.get(target.node);
      if (watch !== undefined) {
        watch.retarget(target);
        continue;
      }
      this.#watches.set(target.node, new ProbeWatch(target, this.#times, nowMs));
    }
  }

  #turn(nowMs: number): ProbeStep {
    if (this.#strain > 0 && nowMs - this.#strainedMs > recoveryMs) {
      this.#strain--;
      this.#strainedMs = nowMs;
    }
    const sends: ProbeSend[] = [];
    const verdicts: ProbeVerdict[] = [];
    // One throw for all: members that are probed together stay together, and wake us once.
    const dice = this.#random.below(2_001) / 1_000 - 1;
    for (const watch of this.#watches.values()) {
      watch.expire(nowMs);
      const sequence = this.#sequence;
      const addresses = watch.round(nowMs, { sequence, dice, patience: 1 + this.#strain });
      addresses.forEach((address, index) => {
        sends.push({ node: watch.node, address, sequence: sequence + index });
      });
      this.#sequence += addresses.length;
      const verdict = watch.report(nowMs);
      if (verdict !== undefined) verdicts.push(verdict);
    }
    this.#pulseMs = nowMs + pulseMs;
    return { ...this.#rest(verdicts), sends };
  }

  #rest(verdicts: readonly ProbeVerdict[] = [], expected = true): ProbeStep {
    this.#dueMs = this.#pulseMs;
    for (const watch of this.#watches.values()) {
      this.#dueMs = Math.min(this.#dueMs, watch.dueMs());
    }
    return { sends: [], verdicts, expected };
  }

  #noticeStall(nowMs: number): void {
    if (nowMs - this.#dueMs > this.#times.stallMs) this.#stalled(nowMs);
  }

  #stalled(nowMs: number): void {
    this.#stalls++;
    this.#strain = Math.min(strainMax, this.#strain + 1);
    this.#strainedMs = nowMs;
    this.#awakeSinceMs = nowMs;
    this.#pulseMs = nowMs;
    this.#dueMs = nowMs;
    for (const watch of this.#watches.values()) watch.forgive(nowMs);
  }
}
