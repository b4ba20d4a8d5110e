/**
 * What happened between two views, as events for people. Pure. Nothing is missed that lasts, but
 * what came and went between the two is not seen: events are differences of levels.
 */

import { explain, type Problem } from "../model/problem.ts";
import type { MeshEvent, MeshView, NodeView, ServiceView, TaskView } from "../model/view.ts";

type Happening = Omit<MeshEvent, "atMs" | "kind">;

/** Nodes, then services, then tasks, then problems; each in the order of the views. */
export function diffViews(before: MeshView, after: MeshView, atMs: number): MeshEvent[] {
  if (before === after) return [];
  const stamp = (kind: MeshEvent["kind"], happenings: readonly Happening[]): MeshEvent[] =>
    happenings.map((happening) => ({ atMs, kind, ...happening }));
  return [
    ...stamp(
      "node",
      compare(before.nodes, after.nodes, ({ node }) => node, diffNode),
    ),
    ...stamp("service", compare(before.services, after.services, keyOfService, diffService)),
    ...stamp(
      "task",
      compare(before.tasks, after.tasks, ({ task }) => task, diffTask),
    ),
    ...stamp("problem", compare(before.problems, after.problems, keyOfProblem, diffProblem)),
  ];
}

/** Either side is undefined where there is none, never both. */
type Diff<Item> = (old: Item | undefined, now: Item | undefined) => Happening[];

function compare<Item>(
  before: readonly Item[],
  after: readonly Item[],
  keyOf: (item: Item) => string,
  diff: Diff<Item>,
): Happening[] {
  const old = new Map(before.map((item) => [keyOf(item), item]));
  const now = new Set(after.map(keyOf));
  const gone = before.filter((item) => !now.has(keyOf(item)));
  return [
    ...after.flatMap((item) => diff(old.get(keyOf(item)), item)),
    ...gone.flatMap((item) => diff(item, undefined)),
  ];
}

function diffNode(old: NodeView | undefined, now: NodeView | undefined): Happening[] {
  if (now === undefined) return old === undefined ? [] : [happening("left", nameOf(old), old.node)];
  const subject = nameOf(now);
  if (old === undefined) return [happening("joined", subject, `${now.node}, ${now.status}`)];
  const happenings: Happening[] = [];
  if (old.status !== now.status) {
    happenings.push(happening(now.status, subject, `was ${old.status}`));
  }
  if (old.availability !== now.availability) {
    happenings.push(happening("availability", subject, now.availability));
  }
  return happenings;
}

function nameOf({ facts, node }: NodeView): string {
  return facts?.name ?? node;
}

function keyOfService({ service }: ServiceView): string {
  return service;
}

function diffService(old: ServiceView | undefined, now: ServiceView | undefined): Happening[] {
  if (now === undefined) return old === undefined ? [] : [happening("removed", old.service, "")];
  const { service, update } = now;
  if (old === undefined) return [happening("created", service, `${now.replicas} replicas`)];
  const happenings: Happening[] = [];
  if (writeOf(old) !== writeOf(now)) {
    happenings.push(happening("updated", service, `revision ${now.revision.slice(0, 12)}`));
  }
  if (old.replicas !== now.replicas) {
    happenings.push(happening("scaled", service, `${old.replicas} to ${now.replicas} replicas`));
  }
  if (old.update.state !== update.state) {
    happenings.push(happening(`update-${update.state}`, service, update.message));
  }
  if (old.ready !== now.ready) {
    happenings.push(happening("ready", service, `${now.ready} of ${now.replicas} replicas`));
  }
  return happenings;
}

/** Also tells apart two writes of one content: the second may mean "start all anew". */
function writeOf({ revision, history }: ServiceView): string {
  const current = history.find(({ status }) => status === "current");
  return `${revision} ${current?.revision} ${current?.generation}`;
}

function diffTask(old: TaskView | undefined, now: TaskView | undefined): Happening[] {
  if (now === undefined) return old === undefined ? [] : [happening("removed", old.task, "")];
  const detail = describeTask(now);
  if (old === undefined || old.state !== now.state) {
    return [happening(now.state, now.task, detail)];
  }
  const happenings: Happening[] = [];
  if (old.standing !== now.standing && (old.standing === "orphaned" || isOrphaned(now))) {
    happenings.push(happening(isOrphaned(now) ? "orphaned" : "found", now.task, detail));
  }
  if (old.health !== now.health) happenings.push(happening(now.health, now.task, detail));
  if (old.ready !== now.ready) {
    happenings.push(happening(now.ready ? "ready" : "not-ready", now.task, detail));
  }
  return happenings;
}

function isOrphaned({ standing }: TaskView): boolean {
  return standing === "orphaned";
}

function describeTask({ nodeName, exitCode, reason }: TaskView): string {
  const parts = [`on ${nodeName}`];
  if (exitCode !== undefined) parts.push(`exit code ${exitCode}`);
  if (reason !== undefined && reason !== "") parts.push(reason);
  return parts.join(", ");
}

function keyOfProblem(problem: Problem): string {
  return JSON.stringify(problem);
}

function diffProblem(old: Problem | undefined, now: Problem | undefined): Happening[] {
  if (old === undefined && now !== undefined) return [happening("new", now.code, explain(now))];
  if (now === undefined && old !== undefined) return [happening("solved", old.code, explain(old))];
  return [];
}

function happening(action: string, subject: string, detail: string): Happening {
  return { action, subject, detail };
}
