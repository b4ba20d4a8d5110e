/**
 * Replicas as they are elsewhere: why one that runs here and was given to nobody here may go, or
 * must not. Remembers since when each was seen where it belongs, because that is in no row.
 */

import type { NodeId, ReplicaId, ServiceId, TaskId } from "../model/ids.ts";
import { type Desired, hasMajority, type WantedService } from "./desired.ts";
import type { Elsewhere } from "./reconcile.ts";

export class ElsewhereWatch {
  readonly #self: NodeId;
  #sinceMs = new Map<TaskId, number>();
  #readySinceMs: ReadonlyMap<ReplicaId, number> = new Map();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /**
   * Once a look, before `find`. A replica is where it belongs when it is ready, of the wanted
   * revision, and on the live member that it is given to: a task that is ready anywhere else may
   * be about to give way itself. Rows that this node found on its own disk prove nothing: their
   * author was heard since the start, or somebody's state was equal to ours.
   */
  look(desired: Desired, services: ReadonlyMap<ServiceId, WantedService>, nowMs: number): void {
    const alive = new Set(
      desired.members
        .filter(({ status, heard }) => status === "alive" && (heard || desired.complete))
        .map(({ node }) => node),
    );
    const since = new Map<TaskId, number>();
    const replicas = new Map<ReplicaId, number>();
    for (const task of desired.tasks) {
      const right = services.get(task.service)?.rollout.revision === task.revision;
      const serves = task.ready && task.state === "running" && alive.has(task.node);
      const isPlaced = desired.placement.assignments.get(task.replica) === task.node;
      if (!right || !serves || !isPlaced || task.node === this.#self) continue;
      const firstMs = this.#sinceMs.get(task.task) ?? nowMs;
      since.set(task.task, firstMs);
      replicas.set(task.replica, Math.min(firstMs, replicas.get(task.replica) ?? firstMs));
    }
    this.#sinceMs = since;
    this.#readySinceMs = replicas;
  }

  /** `service` is undefined when nobody wants it, or not yet. */
  find(replica: ReplicaId, service: WantedService | undefined, desired: Desired): Elsewhere {
    const own = desired.members.find(({ node }) => node === this.#self);
    // This node itself was removed: nothing is wanted of it.
    if (own === undefined) return { kind: "surplus" };
    if (service === undefined) return { kind: desired.complete ? "removed" : "unplaced" };
    if (!service.slots.includes(replica)) return { kind: "surplus" };
    if (service.rollout.spec.isolation === "majority" && !hasMajority(desired.members)) {
      return { kind: "surplus" };
    }
    if (desired.placement.assignments.has(replica)) {
      return { kind: "moved", readySinceMs: this.#readySinceMs.get(replica) };
    }
    return { kind: own.policy.availability === "drain" ? "surplus" : "unplaced" };
  }
}
