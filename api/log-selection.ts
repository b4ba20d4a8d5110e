/** Whose logs a request means, on which nodes, and from where on. Pure. */

import type { NodeId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshView, TaskView } from "../model/view.ts";
import type { LogOptions } from "../ports.ts";
import type { LogRequest } from "./shapes.ts";

/** Undefined when the view has what the request names. */
export function missing(view: MeshView, request: LogRequest): Problem | undefined {
  const { task, service, stack } = request;
  if (task !== undefined) {
    const isThere = view.tasks.some((one) => one.task === task);
    return isThere ? undefined : { code: "task-unknown", task };
  }
  if (selectTasks(view, request).length > 0) return undefined;
  if (service !== undefined) {
    const isThere = view.services.some((one) => one.service === service);
    return isThere ? undefined : { code: "service-unknown", service };
  }
  const isThere = view.services.some(({ spec }) => spec.stack === stack);
  return isThere ? undefined : { code: "stack-unknown", stack: stack ?? "" };
}

/** Ended tasks as well, as long as their nodes still speak of them: why they ended is in there. */
export function selectTasks(view: MeshView, { task, service, stack }: LogRequest): TaskView[] {
  if (task !== undefined) return view.tasks.filter((one) => one.task === task);
  if (service !== undefined) return view.tasks.filter((one) => one.service === service);
  const services = view.services.filter(({ spec }) => spec.stack === stack);
  const ids = new Set(services.map((one) => one.service));
  return view.tasks.filter((one) => ids.has(one.service));
}

/** Other nodes that have some of these tasks; false for those where none of them runs any more. */
export function nodesOf(tasks: readonly TaskView[], self: NodeId): Map<NodeId, boolean> {
  const nodes = new Map<NodeId, boolean>();
  for (const { node, standing, state } of tasks) {
    if (node === self || standing === "orphaned") continue;
    const runs = state !== "complete" && state !== "failed";
    nodes.set(node, runs || nodes.get(node) === true);
  }
  return nodes;
}

/** Nodes that are down and take some of these logs with them. */
export function lostNodes(tasks: readonly TaskView[]): Problem[] {
  const names = tasks.filter(({ standing }) => standing === "orphaned");
  return [...new Set(names.map(({ nodeName }) => nodeName))].map((node) => {
    return { code: "node-down", node };
  });
}

/** Where to begin: after what the reader has, at the start of what is younger than the reader. */
export function startOf(task: TaskView, request: LogRequest): Pick<LogOptions, "tail" | "sinceMs"> {
  const cursor = request.after?.[task.task];
  if (cursor !== undefined) return { sinceMs: cursor.atMs };
  const { openedAtMs, tail, sinceMs } = request;
  if (openedAtMs !== undefined && task.createdAtMs > openedAtMs) return {};
  return {
    ...(tail === undefined ? {} : { tail }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
}
