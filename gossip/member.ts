/** What goes into membership and what comes out of it: see gossip/membership.ts. */

import type { NodeId } from "../model/ids.ts";

export type MemberStatus = "alive" | "suspect" | "down";

export type MemberStanding = {
  readonly status: MemberStatus;
  /** A frame of its own came since this agent was started; till then `alive` is a guess. */
  readonly heard: boolean;
};

/** An admitted node as its own document says it, this node included. */
export type MemberFacts = {
  readonly node: NodeId;
  /** Its document has arrived. */
  readonly known: boolean;
  readonly incarnation: number;
  /** Accused node → the incarnation it stands accused of. */
  readonly accuses: ReadonlyMap<NodeId, number>;
};

export type MembershipInput = {
  readonly members: readonly MemberFacts[];
  readonly nowMs: number;
  /** How late the loop was at worst since the last step, ms. */
  readonly loopStalledMs: number;
};

export type MembershipResult = {
  /** All accusations this node makes now, with the incarnation accused. */
  readonly accuse: ReadonlyMap<NodeId, number>;
  /** This node's own, for its head. */
  readonly incarnation: number;
  /** Too many look down at once for all of them to be: move nothing on that account. */
  readonly frozen: boolean;
  /** Whom to probe. */
  readonly probe: ReadonlySet<NodeId>;
  /** When time alone changes something; undefined when it will not. */
  readonly wakeAtMs: number | undefined;
};
