/**
 * The node among its members: links, whom to admit, dial, probe and sync with, and what
 * membership makes of it. Effects are level-triggered: sent only when the wanted set changed.
 */

import type { MembershipResult } from "../gossip/member.ts";
import type { Membership } from "../gossip/membership.ts";
import type { Store } from "../gossip/store.ts";
import type { NodeId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Peer, ProbeTarget } from "../ports.ts";
import type { Desired, Member } from "./desired.ts";
import type { Effect } from "./effects.ts";
import { readNode } from "./mesh-facts.ts";

export type Judgement = MembershipResult & { readonly changed: boolean };

export class Neighbours {
  readonly #self: NodeId;
  readonly #linked = new Set<NodeId>();
  readonly #sent = new Map<Effect["kind"], string>();
  #lastAccused = "";
  #probe: ReadonlySet<NodeId> = new Set();
  #downBefore = new Set<NodeId>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  linked(): ReadonlySet<NodeId> {
    return this.#linked;
  }

  changeLink(node: NodeId, state: "up" | "down"): void {
    if (state === "up") this.#linked.add(node);
    else this.#linked.delete(node);
  }

  /** Everyone's incarnations and accusations, as their own documents say them. */
  judge(store: Store, membership: Membership, moment: Moment, stalledMs: number): Judgement {
    const members = [...store.trust.view().nodes.keys()].map((node) => ({
      node,
      known: store.document(node) !== undefined,
      incarnation: store.document(node)?.head.incarnation ?? 0,
      accuses: readNode(store, node).accuses,
    }));
    const nowMs = moment.monotonicMs;
    const result = membership.step({ members, nowMs, loopStalledMs: stalledMs });
    const accused = `${result.incarnation} ${[...result.accuse].join()}`;
    const changed = accused !== this.#lastAccused;
    this.#lastAccused = accused;
    this.#probe = result.probe;
    return { ...result, changed };
  }

  /** Admissions, dialling and probing follow the trust log and the documents. */
  follow(desired: Desired): Effect[] {
    const others = desired.members.filter(({ node }) => node !== this.#self);
    const admitted = new Set(others.map(({ node }) => node));
    const peers = others.map(({ node, rows }): Peer => {
      return { node, addresses: rows.facts?.addresses ?? [] };
    });
    // Whoever has not said where it is yet is still on its way: membership has its own patience.
    const targets = others.flatMap(({ node, rows: { facts } }): ProbeTarget[] => {
      if (facts === undefined || !this.#probe.has(node)) return [];
      return [{ node, addresses: facts.addresses, port: facts.probePort }];
    });
    return [
      ...this.#changed({ kind: "admit", nodes: admitted }, [...admitted].join()),
      ...this.#changed({ kind: "maintain", peers }, JSON.stringify(peers)),
      ...this.#changed({ kind: "observe", targets }, JSON.stringify(targets)),
      ...this.#abortDown(others),
    ];
  }

  /** A verdict ends the connections to the dead, so that forwarded streams end with it. */
  #abortDown(members: readonly Member[]): Effect[] {
    const down = new Set(members.filter(({ status }) => status === "down").map(({ node }) => node));
    const fresh = [...down].filter((node) => !this.#downBefore.has(node));
    this.#downBefore = down;
    return fresh.map((node) => ({ kind: "abort", node }));
  }

  #changed(effect: Effect, fingerprint: string): Effect[] {
    if (this.#sent.get(effect.kind) === fingerprint) return [];
    this.#sent.set(effect.kind, fingerprint);
    return [effect];
  }

  syncTargets(members: readonly Member[], dice: number): NodeId[] {
    const others = members.filter(({ node }) => node !== this.#self);
    const linked = others.filter(({ node }) => this.#linked.has(node));
    const down = others.filter(({ node, status }) => status === "down" && !this.#linked.has(node));
    const picks = [pick(linked, dice), pick(down, dice >>> 8)];
    return picks.filter((member) => member !== undefined).map(({ node }) => node);
  }
}

function pick(members: readonly Member[], dice: number): Member | undefined {
  return members.length === 0 ? undefined : members[dice % members.length];
}
