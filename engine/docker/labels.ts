/**
 * Labels of our containers: all that an agent needs to find its tasks again and to go on checking
 * them, after its own memory is gone. Pure.
 */

import type { ReplicaId, RevisionId } from "../../model/ids.ts";
import { type MeshId, type NodeId, splitReplicaId, type TaskId } from "../../model/ids.ts";
import { parseSpecDocument } from "../../model/parse.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";
import type { TaskIdentity } from "../task-entry.ts";

export type Labels = Readonly<Record<string, string>>;

/** The engine reads none of the rest once the container exists. */
export type WatchedSpec = Pick<ServiceSpec, "service" | "ports" | "expose" | "health">;

export type LabelledTask = { readonly identity: TaskIdentity; readonly spec: WatchedSpec };

/** Ours stand over the spec's own. */
export function labelsOf(order: StartOrder, createdAtMs: number): Labels {
  const { spec } = order;
  const own = spec.workload.kind === "container" ? spec.workload.containerLabels : {};
  return {
    ...own,
    "shoal.mesh": order.mesh,
    "shoal.node": order.node,
    "shoal.service": spec.service,
    "shoal.replica": order.replica,
    "shoal.task": order.task,
    "shoal.revision": order.revision,
    "shoal.created-at": String(createdAtMs),
    "shoal.spec": JSON.stringify(withoutWorkload(spec)),
  };
}

/** Filters of the Docker API that choose the containers of one node. */
export function labelFilter(mesh: MeshId, node: NodeId): string[] {
  return [`shoal.mesh=${mesh}`, `shoal.node=${node}`];
}

/** Undefined for what is not, or no longer, a container of ours that makes sense. */
export function readLabels(labels: Labels): LabelledTask | undefined {
  const task = labels["shoal.task"];
  const replica = labels["shoal.replica"];
  const revision = labels["shoal.revision"];
  const createdAtMs = Number(labels["shoal.created-at"]);
  const spec = parseSpec(labels["shoal.spec"] ?? "");
  if (!task || !replica || !revision || spec === undefined) return undefined;
  if (!Number.isSafeInteger(createdAtMs)) return undefined;
  const { service } = splitReplicaId(replica as ReplicaId);
  const identity: TaskIdentity = {
    task: task as TaskId,
    replica: replica as ReplicaId,
    service,
    revision: revision as RevisionId,
    createdAtMs,
  };
  return { identity, spec };
}

/** Docker's names have no "/": "default_web.1.k3j…". */
export function containerName(task: TaskId): string {
  return task.replace("/", "_");
}

/** The workload may hold secrets and be long, and each listing carries all labels. */
function withoutWorkload(spec: ServiceSpec): ServiceSpec {
  const workload = { image: "-", env: {}, containerLabels: {}, mounts: [] } as const;
  return { ...spec, workload: { kind: "container", ...workload } };
}

function parseSpec(text: string): WatchedSpec | undefined {
  try {
    const document = parseSpecDocument({ kind: "service", spec: JSON.parse(text) });
    return document?.kind === "service" ? document.spec : undefined;
  } catch {
    return undefined;
  }
}
