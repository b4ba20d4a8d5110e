/**
 * What this node found out about others by probing them, and when that is enough to accuse.
 *
 * - Nobody is accused on the strength of a few seconds' acquaintance: a node that just started
 *   knows nothing yet, and a node that was just admitted may still be on its way.
 * - An accusation that was refuted while the probes still fail says more about the way there than
 *   about the node. It is repeated only after a while that doubles, unless somebody else accuses
 *   as well or the connection is reset too.
 *
 * Times are monotonic ms.
 */

import type { NodeId } from "../model/ids.ts";
import type { ProbeVerdict } from "../ports.ts";

/** How long a node that was never reached is given before it can be accused or down, ms. */
export const graceMs = 3_000;
/** Least and most ms between a refutation and the same accusation again. */
const holdMinMs = 5_000;
const holdMaxMs = 60_000;

type Acquaintance = {
  readonly sinceMs: number;
  everReachable: boolean;
  state: "unheard" | "reachable" | "gone";
  stateSinceMs: number;
  /** When a frame of its own came last: its agent was at work. */
  heardMs: number;
  /** The incarnation that stands accused; undefined when none does. */
  accused: number | undefined;
  refutations: number;
  heldUntilMs: number;
};

export class Evidence {
  readonly #nodes = new Map<NodeId, Acquaintance>();

  /** Level: the members as they are now. */
  follow(members: ReadonlySet<NodeId>, nowMs: number): void {
    for (const node of this.#nodes.keys()) if (!members.has(node)) this.#nodes.delete(node);
    for (const node of members) {
      if (!this.#nodes.has(node)) this.#nodes.set(node, newcomer(nowMs));
    }
  }

  /** What this node accused others of before it was started stands until probes or they object. */
  adopt(accuses: ReadonlyMap<NodeId, number>): void {
    for (const [node, incarnation] of accuses) {
      const known = this.#nodes.get(node);
      if (known !== undefined) known.accused = incarnation;
    }
  }

  /** Whether a frame of its own came since this node was started. */
  wasHeard(node: NodeId): boolean {
    return Number.isFinite(this.#nodes.get(node)?.heardMs);
  }

  /** Level: whom this node probes. What it knew of others grows stale and is forgotten. */
  watch(targets: ReadonlySet<NodeId>): void {
    for (const [node, known] of this.#nodes) {
      if (!targets.has(node)) known.state = "unheard";
    }
  }

  /** True when it says something else than the one before. */
  observe({ node, state }: ProbeVerdict, nowMs: number): boolean {
    const known = this.#nodes.get(node);
    if (known === undefined) return false;
    const next = state === "reachable" ? "reachable" : "gone";
    const isNews = known.state !== next;
    if (isNews) known.stateSinceMs = nowMs;
    known.state = next;
    if (next === "reachable") {
      known.everReachable = true;
      known.refutations = 0;
      known.heldUntilMs = 0;
    }
    return isNews;
  }

  hear(node: NodeId, nowMs: number): void {
    const known = this.#nodes.get(node);
    if (known !== undefined) known.heardMs = nowMs;
  }

  /** It answers probes again, and its agent was heard since it does. */
  isBack(node: NodeId): boolean {
    const known = this.#nodes.get(node);
    return known?.state === "reachable" && known.heardMs >= known.stateSinceMs;
  }

  /** Its connection was reset: what was held back may be said now, should the probes fail too. */
  linkDown(node: NodeId): void {
    const known = this.#nodes.get(node);
    if (known !== undefined) known.heldUntilMs = 0;
  }

  sinceMs(node: NodeId): number {
    return this.#nodes.get(node)?.sinceMs ?? Number.POSITIVE_INFINITY;
  }

  isGone(node: NodeId): boolean {
    return this.#nodes.get(node)?.state === "gone";
  }

  /** Since when probes fail; infinite when they do not. */
  goneSinceMs(node: NodeId): number {
    const known = this.#nodes.get(node);
    return known?.state === "gone" ? known.stateSinceMs : Number.POSITIVE_INFINITY;
  }

  /** Before this, the node can neither be accused nor be down. */
  ripeAtMs(node: NodeId): number {
    const known = this.#nodes.get(node);
    if (known === undefined) return Number.POSITIVE_INFINITY;
    return known.everReachable ? known.sinceMs : known.sinceMs + graceMs;
  }

  heldUntilMs(node: NodeId): number {
    return this.#nodes.get(node)?.heldUntilMs ?? 0;
  }

  /**
   * Whether to accuse this incarnation now. A node that was down is accused until it refutes, even
   * while it answers probes: its refutation comes with its rows, and without those nobody knows
   * what it still runs. `confirmed`: another observer accuses it already.
   */
  accuses(
    { node, incarnation }: { readonly node: NodeId; readonly incarnation: number },
    { isDown, confirmed }: { readonly isDown: boolean; readonly confirmed: boolean },
    nowMs: number,
  ): boolean {
    const known = this.#nodes.get(node);
    if (known === undefined) return false;
    const isOpen = isDown || known.state === "unheard";
    if (isOpen && known.accused === incarnation) return true;
    if (known.state !== "gone" || nowMs < this.ripeAtMs(node)) {
      known.accused = undefined;
      return false;
    }
    if (known.accused !== undefined && incarnation !== known.accused) {
      known.heldUntilMs = nowMs + Math.min(holdMinMs * 2 ** known.refutations, holdMaxMs);
      known.refutations++;
      known.accused = undefined;
    }
    if (nowMs < known.heldUntilMs && !confirmed) return false;
    known.accused = incarnation;
    return true;
  }

  isAccusing(node: NodeId): boolean {
    return this.#nodes.get(node)?.accused !== undefined;
  }

  /** No longer this node's to say. */
  withdraw(node: NodeId): void {
    const known = this.#nodes.get(node);
    if (known !== undefined) known.accused = undefined;
  }
}

function newcomer(nowMs: number): Acquaintance {
  return {
    sinceMs: nowMs,
    everReachable: false,
    state: "unheard",
    stateSinceMs: nowMs,
    heardMs: Number.NEGATIVE_INFINITY,
    accused: undefined,
    refutations: 0,
    heldUntilMs: 0,
  };
}
