/**
 * What people type → what the mesh calls it. Services by "stack/name", by name alone where only
 * one stack has it, or in docker's spelling "stack_name"; nodes by name, id or part of an id;
 * tasks by id, by part of it, or by their replica ("web.1").
 */

import type { NodeId, TaskId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import type { MeshView, NodeView, ServiceView, TaskView } from "../model/view.ts";

export function findService(view: MeshView, text: string): ServiceView {
  const wanted = text.includes("/") ? text : text.replace("_", "/");
  const exact = view.services.find(({ service }) => service === wanted);
  if (exact !== undefined) return exact;
  const named = view.services.filter(({ service }) => service.endsWith(`/${text}`));
  return only(named, text, ({ service }) => service, { code: "service-unknown", service: text });
}

export function findNode(view: MeshView, text: string): NodeView {
  const unknown: Problem = { code: "node-unknown", node: text };
  if (text === "self") return only(view.nodes.filter(isSelf(view)), text, nodeName, unknown);
  const exact = view.nodes.filter((node) => node.node === text || node.facts?.name === text);
  if (exact.length > 0) return only(exact, text, ({ node }) => node, unknown);
  const partly = text.length < 4 ? [] : view.nodes.filter(({ node }) => isPart(text, node));
  return only(partly, text, ({ node }) => node, unknown);
}

/** The current task of a replica goes before those it replaced. */
export function findTask(view: MeshView, text: string): TaskView {
  const exact = view.tasks.find(({ task }) => task === text);
  if (exact !== undefined) return exact;
  const wanted = text.includes("/") ? text : text.replace("_", "/");
  const replicas = view.tasks.filter(({ replica, service, slot }) => {
    // A global service's slot is shown as the node's name.
    const names = [replica, `${service}.${slot}`];
    return names.some((name) => name === wanted || name.endsWith(`/${text}`));
  });
  const unknown: Problem = { code: "task-unknown", task: text };
  if (replicas.length > 0) {
    const names = new Set(replicas.map(({ replica }) => replica));
    if (names.size > 1) only(replicas, text, ({ replica }) => replica, unknown);
    const isRunning = (task: TaskView): boolean => task.state === "running";
    const [best] = replicas.toSorted(
      (left, right) =>
        Number(isRunning(right)) - Number(isRunning(left)) ||
        Number(right.standing === "current") - Number(left.standing === "current") ||
        right.createdAtMs - left.createdAtMs,
    );
    if (best !== undefined) return best;
  }
  const partly = text.length < 4 ? [] : view.tasks.filter(({ task }) => isPart(text, task));
  return only(partly, text, ({ task }) => task, unknown);
}

/** Names of all stacks there are. */
export function stacksOf(view: MeshView): string[] {
  const names = view.services.flatMap(({ spec }) => spec.stack ?? []);
  return [...new Set(names)].sort();
}

export function servicesOfStack(view: MeshView, stack: string): ServiceView[] {
  const services = view.services.filter(({ spec }) => spec.stack === stack);
  if (services.length === 0) throw new OperationError({ code: "stack-unknown", stack });
  return services;
}

export function nodeName({ facts, node }: NodeView): string {
  return facts?.name ?? node;
}

function isSelf(view: MeshView): (node: NodeView) => boolean {
  return ({ node }) => node === view.self;
}

/** Ids are named by their beginning or, since peer ids all begin alike, by their end. */
function isPart(text: string, id: NodeId | TaskId): boolean {
  return id.startsWith(text) || id.endsWith(text);
}

function only<Item>(
  found: readonly Item[],
  text: string,
  nameOf: (item: Item) => string,
  unknown: Problem,
): Item {
  const [first, second] = found;
  if (first === undefined) throw new OperationError(unknown);
  if (second === undefined) return first;
  const names = found.slice(0, 5).map(nameOf).join(", ");
  throw new OperationError({
    code: "argument-invalid",
    argument: text,
    detail: `means several (${names}): say which`,
  });
}
