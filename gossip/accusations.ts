/**
 * Accusations as documents carry them, turned round: who accuses whom of which incarnation. What
 * they amount to is gossip/membership.ts's business.
 */

import type { NodeId } from "../model/ids.ts";

export type Accuser = {
  readonly node: NodeId;
  /** Accused node → the incarnation it stands accused of. */
  readonly accuses: ReadonlyMap<NodeId, number>;
};

/** Accused → accuser → incarnation. */
export type Accusations = ReadonlyMap<NodeId, ReadonlyMap<NodeId, number>>;

export function collectAccusations(members: readonly Accuser[]): Accusations {
  const all = new Map<NodeId, Map<NodeId, number>>();
  for (const { node, accuses } of members) {
    for (const [accused, incarnation] of accuses) {
      if (accused === node) continue;
      const accusers = all.get(accused) ?? new Map<NodeId, number>();
      all.set(accused, accusers.set(node, incarnation));
    }
  }
  return all;
}

/** Our own row may lag behind what we say now. */
export function withOwn(
  accusers: ReadonlyMap<NodeId, number>,
  self: NodeId,
  own: number | undefined,
): ReadonlyMap<NodeId, number> {
  if (own === accusers.get(self)) return accusers;
  const all = new Map(accusers);
  if (own === undefined) all.delete(self);
  else all.set(self, own);
  return all;
}

/** An accuser may know a later incarnation than we do; beyond this it makes it up. */
const aheadMax = 16;

/** Whether an accusation is about the life that the accused leads now. */
export function isStanding(accused: number, incarnation: number): boolean {
  return accused >= incarnation && accused <= incarnation + aheadMax;
}
