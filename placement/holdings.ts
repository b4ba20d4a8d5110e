/**
 * Who holds what now, as the placer remembers it: holders by replica, best first, and the replicas
 * that a node holds. It keeps claims to services and on nodes that are not there as well: they
 * count as soon as those come.
 *
 * Ranks only order the holders of one replica, and nearly all replicas have one holder. So ranks
 * are looked at for the contested ones alone: nothing else changes when every rank does.
 */

import { compareIds, type NodeId, type ReplicaId } from "../model/ids.ts";
import type { Difference } from "./difference.ts";
import type { Incumbent } from "./input.ts";

export type Holder = {
  readonly node: NodeId;
  /** The best of its tasks; means something among several holders only. */
  rank: number;
  /** A node may hold a replica by two tasks: the old revision's and the new one's. */
  tasks: number;
};

const nobody: readonly Holder[] = [];
const nothing: ReadonlySet<ReplicaId> = new Set();

export class Holdings {
  readonly #byReplica = new Map<ReplicaId, Holder[]>();
  readonly #byNode = new Map<NodeId, Set<ReplicaId>>();
  /** Held by several nodes. */
  readonly #contested = new Set<ReplicaId>();

  /** Best first: by rank, then by node. */
  of(replica: ReplicaId): readonly Holder[] {
    return this.#byReplica.get(replica) ?? nobody;
  }

  on(node: NodeId): ReadonlySet<ReplicaId> {
    return this.#byNode.get(node) ?? nothing;
  }

  /** `all` are the incumbents now. Replicas whose holders now stand in another order. */
  update({ gone, come }: Difference<Incumbent>, all: readonly Incumbent[]): ReplicaId[] {
    for (const incumbent of gone) this.#remove(incumbent);
    for (const incumbent of come) this.#add(incumbent);
    return this.#contested.size === 0 ? [] : this.#reorder(all);
  }

  #add({ replica, node, rank }: Incumbent): void {
    const holders = this.#byReplica.get(replica);
    const known = holders?.find((holder) => holder.node === node);
    if (known !== undefined) {
      known.tasks++;
      return;
    }
    const holder = { node, rank, tasks: 1 };
    if (holders === undefined) this.#byReplica.set(replica, [holder]);
    else {
      holders.push(holder);
      this.#contested.add(replica);
    }
    const held = this.#byNode.get(node);
    if (held === undefined) this.#byNode.set(node, new Set([replica]));
    else held.add(replica);
  }

  #remove({ replica, node }: Incumbent): void {
    const holders = this.#byReplica.get(replica) ?? [];
    const at = holders.findIndex((holder) => holder.node === node);
    const holder = holders[at];
    if (holder === undefined || --holder.tasks > 0) return;
    holders.splice(at, 1);
    if (holders.length === 1) this.#contested.delete(replica);
    if (holders.length === 0) this.#byReplica.delete(replica);
    const held = this.#byNode.get(node);
    held?.delete(replica);
    if (held?.size === 0) this.#byNode.delete(node);
  }

  #reorder(all: readonly Incumbent[]): ReplicaId[] {
    const best = new Map<Holder, number>();
    for (const { replica, node, rank } of all) {
      if (!this.#contested.has(replica)) continue;
      const holder = this.#byReplica.get(replica)?.find((one) => one.node === node);
      if (holder !== undefined) best.set(holder, Math.min(rank, best.get(holder) ?? rank));
    }
    const reordered: ReplicaId[] = [];
    for (const replica of this.#contested) {
      const holders = this.#byReplica.get(replica) ?? [];
      for (const holder of holders) holder.rank = best.get(holder) ?? holder.rank;
      if (
        holders.every((holder, at) => at === 0 || compare(holders[at - 1] as Holder, holder) < 0)
      ) {
        continue;
      }
      holders.sort(compare);
      reordered.push(replica);
    }
    return reordered;
  }
}

function compare(left: Holder, right: Holder): number {
  return left.rank - right.rank || compareIds(left.node, right.node);
}
