/**
 * When to dial whom, and where: for ever, quickly at first, with jitter. Pure; link/redialler.ts
 * does the dialling.
 *
 * Of two nodes the one with the lower key dials, and the other only after a while, in case the
 * lower one cannot reach it. Peers that do not answer are tried about once a second while they are
 * few, so that a healed partition is linked within two seconds; many of them share a fixed rate.
 * The first link that comes back is a sign that others can be reached again, too.
 */

import { compareIds, type NodeId } from "../model/ids.ts";
import type { Peer, Random } from "../ports.ts";
import { parseAddress } from "./addresses.ts";

/** The lower key's first try comes at once, spread so that a mesh does not start in step, ms. */
const promptMs = 50;
/** The other side's patience after start and after a lost link, ms: a dial takes about 50. */
const patienceMs = 400;
const retryMinMs = 100;
const retryMaxMs = 1_000;
/** At most so many dials a second in the long run: a failed one costs about a millisecond. */
const dialsPerSecond = 20;
/** After good news everything unlinked is tried within this, ms. */
const newsMs = 300;
/** A link that lived for less counts as another failure, or two nodes could flap for ever, ms. */
const steadyMs = 2_000;
const failuresMax = 16;
const learntMax = 8;
const toldMax = 16;

type Target = {
  wanted: boolean;
  linked: boolean;
  dialling: boolean;
  failures: number;
  dueAtMs: number;
  upAtMs: number;
  told: readonly string[];
  /** Newest first: where it called from, what mDNS said. */
  learnt: readonly string[];
  /** Where the last dial got through. */
  good: string | undefined;
};

export class DialSchedule {
  readonly #self: NodeId;
  readonly #random: Random;
  readonly #targets = new Map<NodeId, Target>();

  constructor(self: NodeId, random: Random) {
    this.#self = self;
    this.#random = random;
  }

  /** Level: whoever is missing is no longer dialled, and its link is left alone. */
  maintain(peers: readonly Peer[], nowMs: number): void {
    const wanted = new Set(peers.map(({ node }) => node));
    for (const [node, target] of this.#targets) if (!wanted.has(node)) target.wanted = false;
    for (const { node, addresses } of peers) {
      if (node === this.#self) continue;
      const target = this.#target(node);
      const told = addresses.flatMap((text) => plain(text, node)).slice(0, toldMax);
      const isNews = told.some((address) => !this.addresses(node).includes(address));
      if (!target.wanted) target.dueAtMs = nowMs + this.#firstWaitMs(node);
      else if (isNews) this.#hasten(target, nowMs);
      target.wanted = true;
      target.told = told;
    }
  }

  /** Another place where a peer may be reached. Not believed: noise proves who answers there. */
  learn(node: NodeId, text: string, nowMs: number): void {
    const [address] = plain(text, node);
    if (node === this.#self || address === undefined) return;
    const target = this.#target(node);
    const isNews = !this.addresses(node).includes(address);
    const rest = target.learnt.filter((one) => one !== address);
    target.learnt = [address, ...rest].slice(0, learntMax);
    if (isNews) this.#hasten(target, nowMs);
  }

  /** Keeps what is known of these, forgets the rest. */
  retain(nodes: ReadonlySet<NodeId>): void {
    for (const node of this.#targets.keys()) if (!nodes.has(node)) this.#targets.delete(node);
  }

  /** Where to try, best first. */
  addresses(node: NodeId): readonly string[] {
    const target = this.#targets.get(node);
    if (target === undefined) return [];
    const first = target.good === undefined ? [] : [target.good];
    return [...new Set([...first, ...target.told, ...target.learnt])];
  }

  begin(node: NodeId): void {
    this.#target(node).dialling = true;
  }

  /** `good` is the address that answered; undefined when none did. */
  end(node: NodeId, good: string | undefined, nowMs: number): void {
    const target = this.#targets.get(node);
    if (target === undefined) return;
    target.dialling = false;
    if (good !== undefined) target.good = good;
    if (!target.linked) this.#backOff(target, nowMs);
  }

  linkUp(node: NodeId, nowMs: number): void {
    const target = this.#target(node);
    target.linked = true;
    target.upAtMs = nowMs;
    this.newsOfNetwork(nowMs);
  }

  linkDown(node: NodeId, nowMs: number): void {
    const target = this.#target(node);
    target.linked = false;
    if (nowMs - target.upAtMs < steadyMs) {
      this.#backOff(target, nowMs);
    } else {
      target.failures = 0;
      target.dueAtMs = nowMs + this.#firstWaitMs(node);
    }
  }

  /** A link came back, or our own address changed: whoever could not be reached may be now. */
  newsOfNetwork(nowMs: number): void {
    for (const target of this.#targets.values()) {
      if (!target.linked && target.failures > 0) this.#hasten(target, nowMs);
    }
  }

  due(nowMs: number): NodeId[] {
    return this.#waiting()
      .filter(([, target]) => target.dueAtMs <= nowMs)
      .sort(([, left], [, right]) => left.dueAtMs - right.dueAtMs)
      .map(([node]) => node);
  }

  /** When to look again; undefined while nobody is missing. */
  nextDueMs(): number | undefined {
    const times = this.#waiting().map(([, { dueAtMs }]) => dueAtMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #waiting(): (readonly [NodeId, Target])[] {
    return [...this.#targets].filter(
      ([node, { wanted, linked, dialling }]) =>
        wanted && !linked && !dialling && this.addresses(node).length > 0,
    );
  }

  #backOff(target: Target, nowMs: number): void {
    const delayMs = Math.min(retryMinMs * 2 ** target.failures, this.#retryMaxMs());
    target.failures = Math.min(target.failures + 1, failuresMax);
    // Between three and five quarters of it, so that two sides do not meet for ever.
    target.dueAtMs = nowMs + delayMs * 0.75 + this.#below(delayMs / 2);
  }

  #retryMaxMs(): number {
    const missing = [...this.#targets.values()].filter(({ wanted, linked }) => wanted && !linked);
    return Math.max(retryMaxMs, (missing.length * 1_000) / dialsPerSecond);
  }

  #firstWaitMs(node: NodeId): number {
    const isOurs = compareIds(this.#self, node) < 0;
    return (isOurs ? 0 : patienceMs) + this.#below(promptMs);
  }

  #hasten(target: Target, nowMs: number): void {
    target.dueAtMs = Math.min(target.dueAtMs, nowMs + this.#below(newsMs));
  }

  #below(bound: number): number {
    return this.#random.below(Math.max(1, Math.floor(bound)));
  }

  #target(node: NodeId): Target {
    const known = this.#targets.get(node);
    if (known !== undefined) return known;
    const state = { wanted: false, linked: false, dialling: false, failures: 0 };
    const times = { dueAtMs: 0, upAtMs: 0 };
    const target: Target = { ...state, ...times, told: [], learnt: [], good: undefined };
    this.#targets.set(node, target);
    return target;
  }
}

/** Without the peer id; nothing when it cannot be dialled or is another peer's. */
function plain(text: string, node: NodeId): string[] {
  const parsed = parseAddress(text);
  if (parsed === undefined || (parsed.peer !== undefined && parsed.peer !== node)) return [];
  return [parsed.address];
}
