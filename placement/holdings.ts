/**
 * Who holds what now, as the placer remembers it: incumbents by replica, best first, and the
 * replicas that a node holds. It keeps claims to services and on nodes that are not there as well:
 * they count as soon as those come.
 */

import { compareIds, type NodeId, type ReplicaId } from "../model/ids.ts";
import type { Difference } from "./difference.ts";
import type { Incumbent } from "./input.ts";

const nobody: readonly Incumbent[] = [];
const nothing: ReadonlySet<ReplicaId> = new Set();

export class Holdings {
  readonly #byReplica = new Map<ReplicaId, Incumbent[]>();
  readonly #byNode = new Map<NodeId, Set<ReplicaId>>();

  /** Best first: by rank, then by node. */
  of(replica: ReplicaId): readonly Incumbent[] {
    return this.#byReplica.get(replica) ?? nobody;
  }

  on(node: NodeId): ReadonlySet<ReplicaId> {
    return this.#byNode.get(node) ?? nothing;
  }

  update({ gone, come }: Difference<Incumbent>): void {
    for (const incumbent of gone) this.#remove(incumbent);
    for (const incumbent of come) this.#add(incumbent);
  }

  #add(incumbent: Incumbent): void {
    const { replica, node } = incumbent;
    const holders = this.#byReplica.get(replica);
    if (holders === undefined) this.#byReplica.set(replica, [incumbent]);
    else holders.splice(placeAmong(holders, incumbent), 0, incumbent);
    const held = this.#byNode.get(node);
    if (held === undefined) this.#byNode.set(node, new Set([replica]));
    else held.add(replica);
  }

  /** A node may hold a replica by two tasks: the old revision's and the new one's. */
  #remove({ replica, node, rank }: Incumbent): void {
    const holders = this.#byReplica.get(replica) ?? [];
    const at = placeAmong(holders, { replica, node, rank });
    if (holders[at]?.node === node && holders[at].rank === rank) holders.splice(at, 1);
    if (holders.length === 0) this.#byReplica.delete(replica);
    if (holders.some((one) => one.node === node)) return;
    const held = this.#byNode.get(node);
    held?.delete(replica);
    if (held?.size === 0) this.#byNode.delete(node);
  }
}

/** Where it is, or where it would be: a lying node may claim one replica thousands of times. */
function placeAmong(holders: readonly Incumbent[], incumbent: Incumbent): number {
  let low = 0;
  let high = holders.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareHolders(holders[middle] as Incumbent, incumbent) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Negative when `left` has the better claim. */
export function compareHolders(left: Incumbent, right: Incumbent): number {
  return left.rank - right.rank || compareIds(left.node, right.node);
}
