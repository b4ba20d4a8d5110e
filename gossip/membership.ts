/**
 * Who is alive, as this node sees it: its own probes and everyone's accusations in, statuses and
 * its own accusations out. Pure; time arrives with each call. Begin reading at `step`.
 *
 * A node's observers accuse it when their probes fail. One accusation of the current incarnation
 * makes it `suspect`; after a while that is short with a majority and long without (suspicion.ts)
 * it is `down`. The accused refutes by raising its incarnation; observers withdraw what no longer
 * holds. docs/decisions/0002-accusations-are-rows.md says why there are no messages for this.
 *
 * Sources: Das, Gupta and Motivala, "SWIM", DSN 2002 (suspicion, incarnations); Dadgar et al.,
 * "Lifeguard", 2018 (local health); Suresh et al., "Rapid", USENIX ATC 2018 (fixed observers).
 *
 * Invariants:
 * - Only observers count, only for the current incarnation, only while not down themselves.
 * - Whoever loses most of what it watches doubts itself first: it probes everyone, waits longer,
 *   and asks for destructive actions to be frozen.
 * - `down` ends when the node itself is heard: by a refutation, which comes with its rows. Probes
 *   that are answered again are not enough, since what it runs may have changed meanwhile.
 */

import { compareIds, type NodeId } from "../model/ids.ts";
import type { ProbeVerdict } from "../ports.ts";
import { type Accusations, collectAccusations, isStanding, withOwn } from "./accusations.ts";
import { Evidence } from "./evidence.ts";
import { type Gone, judgeFreeze } from "./freeze.ts";
import type {
  MemberFacts,
  MemberStanding,
  MemberStatus,
  MembershipInput,
  MembershipResult,
} from "./member.ts";
import { Observers } from "./observers.ts";
import { suspicionTimeoutMs } from "./suspicion.ts";

/** A loop this late has frames waiting that may refute what it is about to conclude, ms. */
const stallMs = 250;
/** For how long a node that stalled, or lost most of what it watches, waits twice as long, ms. */
const distrustMs = 10_000;
/** The word of an observer that does not answer this node either counts only this long, ms. */
const unheardMs = 1_000;
/** A member without a document is expected for this long after its admission, ms. */
const expectedMs = 10_000;
/** Fewer to watch than this, and a node's own observers are watched as well. */
const watchedMin = 3;
/** Probing more than this at once would itself be a load; far more than a rack. */
const probesMax = 256;

type Suspicion = { readonly incarnation: number; sinceMs: number; accusers: ReadonlySet<NodeId> };
type Standing = {
  status: MemberStatus;
  heard: boolean;
  suspicion: Suspicion | undefined;
  downSinceMs: number;
};

export class Membership {
  readonly #self: NodeId;
  readonly #evidence = new Evidence();
  readonly #standings = new Map<NodeId, Standing>();
  #observers = new Observers([]);
  #incarnation = 0;
  #begun = false;
  #distrustUntilMs = Number.NEGATIVE_INFINITY;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor({ self }: { readonly self: NodeId }) {
    this.#self = self;
  }

  /** True when it says something else than the one before. */
  observe(verdict: ProbeVerdict, nowMs: number): boolean {
    return this.#evidence.observe(verdict, nowMs);
  }

  /** A frame came from it. True when that may end its being down. */
  hear(node: NodeId, nowMs: number): boolean {
    this.#evidence.hear(node, nowMs);
    const standing = this.#standings.get(node);
    if (standing !== undefined) standing.heard = true;
    return this.#isDown(node);
  }

  linkDown(node: NodeId, _nowMs: number): void {
    this.#evidence.linkDown(node);
  }

  /** As of the last step; this node itself is not in it. */
  statuses(): ReadonlyMap<NodeId, MemberStanding> {
    return this.#standings;
  }

  step({ members, nowMs, loopStalledMs }: MembershipInput): MembershipResult {
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    const others = members
      .filter(({ node }) => node !== this.#self)
      .sort((left, right) => compareIds(left.node, right.node));
    this.#enrol(others, nowMs);
    if (!this.#begun) this.#begin(members);
    if (loopStalledMs >= stallMs) this.#doubt(nowMs);
    const accusations = collectAccusations(members);
    const probe = this.#assign(others, nowMs);
    const accuse = this.#accuse(others, accusations, probe, nowMs);
    for (const member of others) {
      const accusers = accusations.get(member.node) ?? new Map<NodeId, number>();
      this.#judge(member, withOwn(accusers, this.#self, accuse.get(member.node)), nowMs);
    }
    this.#refute(members, accusations.get(this.#self));
    const { frozen, untilMs } = judgeFreeze(
      others.map((one) => this.#gone(one)),
      nowMs,
    );
    this.#wake(untilMs, nowMs);
    const wakeAtMs = Number.isFinite(this.#wakeAtMs) ? this.#wakeAtMs : undefined;
    return { accuse, incarnation: this.#incarnation, frozen, probe, wakeAtMs };
  }

  #enrol(others: readonly MemberFacts[], nowMs: number): void {
    const nodes = new Set(others.map(({ node }) => node));
    this.#evidence.follow(nodes, nowMs);
    for (const node of this.#standings.keys()) if (!nodes.has(node)) this.#standings.delete(node);
    for (const node of nodes) {
      if (this.#standings.has(node)) continue;
      const heard = this.#evidence.wasHeard(node);
      this.#standings.set(node, { status: "alive", heard, suspicion: undefined, downSinceMs: 0 });
    }
  }

  #begin(members: readonly MemberFacts[]): void {
    this.#begun = true;
    this.#evidence.adopt(members.find(({ node }) => node === this.#self)?.accuses ?? new Map());
  }

  /** What waited in the queue while the loop stood still may say that everyone is well. */
  #doubt(nowMs: number): void {
    this.#distrustUntilMs = nowMs + distrustMs;
    for (const { status, suspicion } of this.#standings.values()) {
      if (status !== "down" && suspicion !== undefined) suspicion.sinceMs = nowMs;
    }
  }

  /**
   * Whom this node watches: those it is an observer of, among nodes not down, so that the next in
   * rank steps in for a dead observer; those it accuses; everyone once most of them are gone.
   */
  #assign(others: readonly MemberFacts[], nowMs: number): ReadonlySet<NodeId> {
    const present = others.filter(({ node }) => !this.#isDown(node)).map(({ node }) => node);
    present.push(this.#self);
    if (!this.#observers.isFor(present)) this.#observers = new Observers(present);
    const watched = new Set(
      others.map(({ node }) => node).filter((node) => this.#observers.of(node).has(this.#self)),
    );
    // Whoever has little to watch could not tell that it is cut off.
    if (watched.size < watchedMin) {
      for (const node of this.#observers.of(this.#self)) watched.add(node);
    }
    const gone = [...watched].filter((node) => this.#evidence.isGone(node)).length;
    const isLost = gone >= 2 && gone * 2 > watched.size;
    if (isLost && nowMs >= this.#distrustUntilMs) this.#distrustUntilMs = nowMs + distrustMs;
    const probe = new Set(watched);
    for (const { node } of others) {
      const isMine = this.#evidence.isAccusing(node) || this.#wasAlone(node);
      if (isMine || (isLost && probe.size < probesMax)) probe.add(node);
    }
    this.#evidence.watch(probe);
    return probe;
  }

  #accuse(
    others: readonly MemberFacts[],
    accusations: Accusations,
    probe: ReadonlySet<NodeId>,
    nowMs: number,
  ): ReadonlyMap<NodeId, number> {
    const accuse = new Map<NodeId, number>();
    for (const member of others) {
      const { node, incarnation } = member;
      const observers = this.#observers.of(node);
      const mine = observers.has(this.#self) || this.#evidence.isAccusing(node);
      if (!mine || !probe.has(node)) {
        this.#evidence.withdraw(node);
        continue;
      }
      const confirmed = [...(accusations.get(node) ?? [])].some(
        ([by, theirs]) => by !== this.#self && observers.has(by) && isStanding(theirs, incarnation),
      );
      if (this.#evidence.accuses(member, { isDown: this.#isDown(node), confirmed }, nowMs)) {
        accuse.set(node, incarnation);
      } else if (this.#evidence.isGone(node)) {
        this.#wake(this.#evidence.ripeAtMs(node), nowMs);
        this.#wake(this.#evidence.heldUntilMs(node), nowMs);
      }
    }
    return accuse;
  }

  #judge(member: MemberFacts, accusers: ReadonlyMap<NodeId, number>, nowMs: number): void {
    const { node, incarnation } = member;
    const standing = this.#standings.get(node) as Standing;
    const before = standing.suspicion?.incarnation === incarnation ? standing.suspicion : undefined;
    const electors = [...this.#observers.of(node)].filter((by) => this.#isCredible(by, nowMs));
    const counted = new Set<NodeId>();
    for (const [by, theirs] of accusers) {
      const entitled = electors.includes(by) || before?.accusers.has(by);
      if (entitled && isStanding(theirs, incarnation) && this.#isCredible(by, nowMs)) {
        counted.add(by);
      }
    }
    const isDown = before !== undefined && standing.status === "down";
    // Nobody is left to watch it whom we could hear: our own eyes must do, until it is heard.
    const isAlone = electors.length === 0 && this.#evidence.isGone(node);
    const isStill = isDown && this.#wasAlone(node) && !this.#evidence.isBack(node);
    if (isAlone || isStill) counted.add(this.#self);
    if (counted.size === 0) {
      standing.suspicion = undefined;
      this.#settle(standing, this.#withoutAccusation(member, nowMs), nowMs);
      return;
    }
    standing.suspicion = { incarnation, sinceMs: before?.sinceMs ?? nowMs, accusers: counted };
    const votes = new Set([...electors, ...counted]).size;
    const dueMs = this.#dueMs(node, standing.suspicion, votes, nowMs);
    if (!isDown) this.#wake(dueMs, nowMs);
    this.#settle(standing, isDown || nowMs >= dueMs ? "down" : "suspect", nowMs);
  }

  #dueMs(node: NodeId, { sinceMs, accusers }: Suspicion, votes: number, nowMs: number): number {
    const factor = nowMs < this.#distrustUntilMs ? 2 : 1;
    const timeoutMs = factor * suspicionTimeoutMs(accusers.size, votes);
    return Math.max(sinceMs + timeoutMs, this.#evidence.ripeAtMs(node));
  }

  /** Unreachable from here alone is no accusation, yet nothing is to be sent there from here. */
  #withoutAccusation({ node, known }: MemberFacts, nowMs: number): MemberStatus {
    if (!known) {
      const expectedUntilMs = this.#evidence.sinceMs(node) + expectedMs;
      if (nowMs >= expectedUntilMs) return "down";
      this.#wake(expectedUntilMs, nowMs);
    }
    return this.#evidence.isGone(node) ? "suspect" : "alive";
  }

  #settle(standing: Standing, status: MemberStatus, nowMs: number): void {
    if (status === "down" && standing.status !== "down") standing.downSinceMs = nowMs;
    standing.status = status;
  }

  #gone({ node, known }: MemberFacts): Gone {
    const downSinceMs = this.#standings.get(node)?.downSinceMs ?? 0;
    return { isDown: this.#isDown(node), downSinceMs, known };
  }

  /** It is down on this node's word and on nobody else's. */
  #wasAlone(node: NodeId): boolean {
    const accusers = this.#standings.get(node)?.suspicion?.accusers;
    return this.#isDown(node) && accusers?.size === 1 && accusers.has(this.#self);
  }

  #isDown(node: NodeId): boolean {
    return this.#standings.get(node)?.status === "down";
  }

  #isCredible(node: NodeId, nowMs: number): boolean {
    if (node === this.#self) return true;
    if (this.#isDown(node)) return false;
    const unheardAtMs = this.#evidence.goneSinceMs(node) + unheardMs;
    this.#wake(unheardAtMs, nowMs);
    return nowMs < unheardAtMs;
  }

  /** Whoever accuses us of our current incarnation is answered with the next one. */
  #refute(
    members: readonly MemberFacts[],
    accusers: ReadonlyMap<NodeId, number> | undefined,
  ): void {
    const own = members.find(({ node }) => node === this.#self)?.incarnation ?? 0;
    this.#incarnation = Math.max(this.#incarnation, own);
    const standing = [...(accusers ?? [])]
      .map(([, accused]) => accused)
      .filter((accused) => isStanding(accused, this.#incarnation));
    if (standing.length > 0) this.#incarnation = Math.max(...standing) + 1;
  }

  #wake(atMs: number, nowMs: number): void {
    if (atMs > nowMs) this.#wakeAtMs = Math.min(this.#wakeAtMs, atMs);
  }
}
