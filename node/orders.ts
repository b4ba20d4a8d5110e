/** Orders to engines, as worklist.ts gives them: what is in them follows from rows and specs. */

import { hex, sha256 } from "../crdt/hash.ts";
import type { EngineKind, TaskFacts } from "../model/documents.ts";
import { type NodeId, type ReplicaId, splitReplicaId, type TaskId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { StartOrder, StopOrder } from "../ports.ts";
import type { WantedService } from "./desired.ts";
import type { Effect } from "./effects.ts";
import type { Assignment } from "./reconcile.ts";

/** What all of a node's orders have in common. */
export type OrderFrame = Pick<StartOrder, "mesh" | "node" | "nodeName" | "dnsAddress" | "subnet">;

const stopDefaults = { graceMs: 10_000, signal: "SIGTERM" };

export function engineOf(kind: ServiceSpec["workload"]["kind"]): EngineKind {
  return kind === "container" ? "docker" : "process";
}

export function stopOrder(facts: TaskFacts, service: WantedService | undefined): StopOrder {
  const workload = service?.rollout.spec.workload;
  return {
    task: facts.task,
    graceMs: workload?.stopGraceMs ?? stopDefaults.graceMs,
    signal: workload?.stopSignal ?? stopDefaults.signal,
  };
}

export function startEffect(
  facts: TaskFacts,
  { spec, revision }: Pick<Assignment, "spec" | "revision">,
  order: OrderFrame,
): Effect {
  const { slot } = splitReplicaId(facts.replica);
  const { task, replica } = facts;
  return {
    kind: "start",
    engine: facts.engine,
    order: { ...order, task, replica, slot, revision, spec },
  };
}

/** Unique enough to never meet again: 60 bits of a hash over all that makes this start its own. */
export function newTaskId(replica: ReplicaId, node: NodeId, moment: Moment, index: number): TaskId {
  const seed = `${replica} ${node} ${moment.wallMs} ${moment.monotonicMs} ${moment.dice} ${index}`;
  const digest = hex(sha256(new TextEncoder().encode(seed)));
  const suffix = BigInt(`0x${digest.slice(0, 15)}`)
    .toString(36)
    .padStart(12, "0")
    .slice(0, 12);
  return `${replica}.${suffix}` as TaskId;
}
