/**
 * A few Membership machines on one table: probes are a matrix of who reaches whom, documents reach
 * whoever hears them at once, time moves in small steps.
 */

import type { MemberStatus, MembershipResult } from "../../gossip/member.ts";
import { Membership } from "../../gossip/membership.ts";
import type { NodeId } from "../../model/ids.ts";

const stepMs = 50;
/** From the moment a node falls silent to its observers' verdict, as probes make it. */
const verdictMs = 600;

type Seat = {
  readonly name: string;
  membership: Membership;
  result: MembershipResult | undefined;
  /** What others know of it. */
  incarnation: number;
  accuses: ReadonlyMap<NodeId, number>;
  readonly said: Map<string, "reachable" | "unreachable">;
};

export class MembershipBed {
  nowMs = 0;
  readonly #seats: Seat[];
  /** "a>b": since when a's probes of b go unanswered. */
  readonly #silent = new Map<string, number>();
  /** "a>b": a does not get b's document. */
  readonly #deaf = new Set<string>();

  constructor(names: string, known = names) {
    this.#seats = names.split(" ").map((name) => this.#seat(name));
    this.#known = new Set(known.split(" "));
  }

  readonly #known: ReadonlySet<string>;

  #seat(name: string): Seat {
    const membership = new Membership({ self: name as NodeId });
    return {
      name,
      membership,
      result: undefined,
      incarnation: 0,
      accuses: new Map(),
      said: new Map(),
    };
  }

  /** Its process starts again with nothing in memory. */
  restart(name: string): void {
    const seat = this.#find(name);
    seat.membership = new Membership({ self: name as NodeId });
    seat.said.clear();
  }

  /** `from` cannot reach `to`; with `documents` it does not hear from it either. */
  cut(from: string, to: string, documents = true): void {
    this.#silent.set(`${from}>${to}`, this.nowMs);
    if (documents) this.#deaf.add(`${from}>${to}`);
  }

  /** Nobody reaches it, and it reaches nobody. */
  isolate(...names: string[]): void {
    for (const { name: one } of this.#seats) {
      for (const { name: other } of this.#seats) {
        if (one !== other && names.includes(one) !== names.includes(other)) this.cut(one, other);
      }
    }
  }

  /** The hosts are off: they neither step nor answer, not even each other. */
  kill(...names: string[]): void {
    for (const name of names) this.#off.add(name);
    for (const { name } of this.#seats) for (const dead of names) this.cut(name, dead, false);
  }

  readonly #off = new Set<string>();
  /** Probes are answered, and the agent does nothing. */
  readonly #mute = new Set<string>();

  /** Of the dead, these come back without their agents. */
  answerAgain(...names: string[]): void {
    for (const name of names) this.#mute.add(name);
    for (const key of [...this.#silent.keys()]) {
      if (names.some((name) => key.endsWith(`>${name}`))) this.#silent.delete(key);
    }
  }

  heal(): void {
    this.#silent.clear();
    this.#deaf.clear();
    this.#off.clear();
    this.#mute.clear();
  }

  run(forMs: number, each: () => void = () => {}): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += stepMs;
      for (const seat of this.#seats) if (!this.#off.has(seat.name)) this.#step(seat);
      each();
    }
  }

  /** Ms until the condition holds; infinite when it does not within the limit. */
  until(condition: () => boolean, limitMs = 30_000): number {
    const startedMs = this.nowMs;
    while (!condition()) {
      if (this.nowMs - startedMs >= limitMs) return Number.POSITIVE_INFINITY;
      this.run(stepMs);
    }
    return this.nowMs - startedMs;
  }

  /** How `by` sees `node`. */
  status(by: string, node: string): MemberStatus | undefined {
    return this.#find(by)
      .membership.statuses()
      .get(node as NodeId)?.status;
  }

  /** "a b=down c=suspect": how `by` sees those who are not alive. */
  seenBy(by: string): string {
    return [...this.#find(by).membership.statuses()]
      .filter(([, { status }]) => status !== "alive")
      .map(([node, { status }]) => `${node}=${status}`)
      .join(" ");
  }

  everyone(): string[] {
    return this.#seats.map(({ name }) => name);
  }

  result(name: string): MembershipResult {
    return this.#find(name).result as MembershipResult;
  }

  incarnation(name: string): number {
    return this.#find(name).incarnation;
  }

  /** Somebody says what is not so. */
  lie(name: string, accused: string, incarnation: number): void {
    const seat = this.#find(name);
    seat.accuses = new Map(seat.accuses).set(accused as NodeId, incarnation);
    this.#lies.set(name, seat.accuses);
  }

  readonly #lies = new Map<string, ReadonlyMap<NodeId, number>>();

  #find(name: string): Seat {
    return this.#seats.find((seat) => seat.name === name) as Seat;
  }

  #step(seat: Seat, loopStalledMs = 0): void {
    for (const target of seat.result?.probe ?? []) {
      if (!this.#known.has(target)) continue;
      const sinceMs = this.#silent.get(`${seat.name}>${target}`);
      const state = sinceMs === undefined ? "reachable" : "unreachable";
      if (sinceMs !== undefined && this.nowMs - sinceMs < verdictMs) continue;
      if (seat.said.get(target) === state) continue;
      seat.said.set(target, state);
      seat.membership.observe({ node: target, state, rttMs: 1 }, this.nowMs);
    }
    for (const { name } of this.#seats) {
      const isHeard = name !== seat.name && !this.#off.has(name) && this.#heard(seat.name, name);
      if (isHeard && !this.#mute.has(name)) seat.membership.hear(name as NodeId, this.nowMs);
    }
    const members = this.#seats.map(({ name, incarnation, accuses }) => {
      const isOwn = name === seat.name;
      const node = name as NodeId;
      const known = isOwn || this.#known.has(name);
      const heard = this.#heard(seat.name, name);
      const facts = heard ? { incarnation, accuses } : this.#last(seat.name, name);
      if (heard) this.#memory.set(`${seat.name}>${name}`, facts);
      return { node, known, ...facts };
    });
    const { nowMs } = this;
    seat.result = seat.membership.step({ members, nowMs, loopStalledMs });
    seat.incarnation = seat.result.incarnation;
    seat.accuses = new Map([...seat.result.accuse, ...(this.#lies.get(seat.name) ?? [])]);
    for (const target of seat.said.keys()) {
      if (!seat.result.probe.has(target as NodeId)) seat.said.delete(target);
    }
  }

  /** One step of one node that was late. */
  stall(name: string, forMs: number): void {
    this.#step(this.#find(name), forMs);
  }

  readonly #memory = new Map<string, Pick<Seat, "incarnation" | "accuses">>();

  #last(by: string, name: string): Pick<Seat, "incarnation" | "accuses"> {
    return this.#memory.get(`${by}>${name}`) ?? { incarnation: 0, accuses: new Map() };
  }

  #heard(by: string, name: string): boolean {
    return by === name || !this.#deaf.has(`${by}>${name}`);
  }
}
