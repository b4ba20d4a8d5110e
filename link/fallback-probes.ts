/**
 * Probing by the best way there is: over UDP, and over streams of the links where UDP does not get
 * through. Itself a `Probes`, made of another and of something that asks over streams.
 * link/fallback-watch.ts has the rules; link/mesh-probes.ts puts the real parts in.
 */

import type { NodeId } from "../model/ids.ts";
import type { Clock, Probes, ProbeTarget, ProbeVerdict, Transport } from "../ports.ts";
import {
  type FallbackTimes,
  FallbackWatch,
  fallbackTimes,
  type StreamOrder,
} from "./fallback-watch.ts";

/** Asks members over streams. At most one question to each is on its way. */
export interface Asker {
  ask(node: NodeId): void;
  /** Gives up the question and the stream. Neither is heard of again. */
  drop(node: NodeId): void;
  /** The answer's round trip, ms; "failed" when the stream broke or none was to be had. */
  onOutcome(listener: (node: NodeId, outcome: number | "failed") => void): void;
}

export type FallbackParts = {
  /** Undefined where this host has no UDP. */
  readonly udp: Probes | undefined;
  readonly asker: Asker;
  readonly links: Pick<Transport, "onLink"> & { linked(): readonly NodeId[] };
  readonly clock: Clock;
  readonly times?: FallbackTimes;
};

export class FallbackProbes implements Probes {
  readonly #parts: FallbackParts;
  readonly #times: FallbackTimes;
  readonly #watches = new Map<NodeId, FallbackWatch>();
  readonly #linked: Set<NodeId>;
  #listener: (verdict: ProbeVerdict) => void = () => {};
  /** Of the next turn; undefined while UDP alone does it. */
  #cancel: (() => void) | undefined;

  constructor(parts: FallbackParts) {
    const { udp, asker, links, times = fallbackTimes } = parts;
    this.#parts = parts;
    this.#times = times;
    this.#linked = new Set(links.linked());
    links.onLink((node, state) => this.#changeLink(node, state));
    udp?.onVerdict((verdict) => this.#hearUdp(verdict));
    asker.onOutcome((node, outcome) => this.#hearStream(node, outcome));
  }

  observe(targets: readonly ProbeTarget[]): void {
    const { udp, asker } = this.#parts;
    const wanted = new Set(targets.map(({ node }) => node));
    for (const node of [...this.#watches.keys()]) {
      if (wanted.has(node)) continue;
      this.#watches.delete(node);
      asker.drop(node);
    }
    for (const { node, port } of targets) {
      const isLinked = this.#linked.has(node);
      const watch = this.#watches.get(node) ?? new FallbackWatch(this.#times, isLinked);
      this.#watches.set(node, watch);
      this.#perform(node, watch.tryUdp(udp !== undefined && port > 0));
    }
    udp?.observe(targets.filter(({ port }) => port > 0));
    this.#arm();
  }

  hasten(node: NodeId): void {
    // Over streams there is nothing to hasten: the reset has told us already.
    this.#parts.udp?.hasten(node);
  }

  beat(): void {
    this.#parts.udp?.beat();
  }

  onVerdict(listener: (verdict: ProbeVerdict) => void): void {
    this.#listener = listener;
  }

  /** The parts are their opener's to close. */
  close(): void {
    this.#cancel?.();
    for (const node of this.#watches.keys()) this.#parts.asker.drop(node);
    this.#watches.clear();
  }

  #changeLink(node: NodeId, state: "up" | "down"): void {
    if (state === "up") this.#linked.add(node);
    else this.#linked.delete(node);
    this.#step(node, (watch) => watch.changeLink(state));
  }

  #hearUdp(verdict: ProbeVerdict): void {
    this.#step(verdict.node, (watch, nowMs) => watch.hearUdp(verdict, nowMs));
  }

  #hearStream(node: NodeId, outcome: number | "failed"): void {
    this.#step(node, (watch) => {
      if (outcome === "failed") watch.fail();
      else watch.answer(outcome);
      return "none";
    });
  }

  #turn(): void {
    this.#cancel = undefined;
    for (const node of [...this.#watches.keys()]) {
      this.#step(node, (watch, nowMs) => watch.turn(nowMs));
    }
  }

  #step(node: NodeId, take: (watch: FallbackWatch, nowMs: number) => StreamOrder): void {
    const watch = this.#watches.get(node);
    if (watch === undefined) return;
    const nowMs = this.#parts.clock.monotonicMs();
    this.#perform(node, take(watch, nowMs));
    const verdict = watch.report(node, nowMs);
    this.#arm();
    if (verdict !== undefined) this.#listener(verdict);
  }

  #perform(node: NodeId, order: StreamOrder): void {
    const { asker } = this.#parts;
    if (order === "drop" || order === "ask-anew") asker.drop(node);
    if (order === "ask" || order === "ask-anew") asker.ask(node);
  }

  #arm(): void {
    if (this.#cancel !== undefined) return;
    if (![...this.#watches.values()].some((watch) => watch.needsTurns())) return;
    this.#cancel = this.#parts.clock.after(this.#times.turnMs, () => this.#turn());
  }
}
