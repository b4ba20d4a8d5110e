/**
 * Desired × observed → actions, for this node's own tasks. Pure; node/agent.ts turns actions
 * into orders and rows.
 *
 * Level-triggered: it looks only at what is, never at what changed, so a lost event or a crash
 * half way costs one more step and nothing else. Start early, stop late: a replica is started as
 * soon as this node's view gives it, and given up only when it is seen ready elsewhere.
 */

import type { EngineKind } from "../model/documents.ts";
import type { ReplicaId, RevisionId, ServiceId, TaskId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { Config } from "./config.ts";
import type { LocalTask } from "./local-tasks.ts";
import { isLive } from "./rollout.ts";

/** A replica that this node's view gives to this node. */
export type Assignment = {
  readonly replica: ReplicaId;
  readonly service: ServiceId;
  readonly spec: ServiceSpec;
  readonly revision: RevisionId;
  readonly mayReplace: boolean;
  /** Monotonic ms since when this node's view has given it without a break. */
  readonly sinceMs: number;
  /** Monotonic ms before which a failed replica is not tried again. */
  readonly retryAtMs: number;
  /** No more tries: it completed, or its restart policy says so. */
  readonly finished: boolean;
  /** The engine takes orders. */
  readonly engineOpen: boolean;
};

/** What this node sees of a replica that it runs and is not given. */
export type Elsewhere =
  /** Its service is gone: nobody wants it. */
  | { readonly kind: "removed" }
  /** Its service runs fewer replicas now, or may not run on this side. */
  | { readonly kind: "surplus" }
  /** Another node has it. `readySinceMs` is undefined until a ready task is seen there. */
  | { readonly kind: "moved"; readonly readySinceMs: number | undefined }
  /** Nobody was given it: it stays where it is. */
  | { readonly kind: "unplaced" };

export type Action = Readonly<
  | { kind: "start"; assignment: Assignment }
  | { kind: "drain"; task: TaskId; reason: string }
  | { kind: "stop"; task: TaskId; reason: string; failed: boolean }
>;

export type ReconcileInput = {
  readonly assignments: readonly Assignment[];
  readonly tasks: readonly LocalTask[];
  /** Nothing is decided about the tasks of an engine that does not say how they are. */
  readonly isOpen: (engine: EngineKind) => boolean;
  readonly elsewhere: (replica: ReplicaId, service: ServiceId) => Elsewhere;
  /** Many members look down at once: move nothing on that account. */
  readonly frozen: boolean;
  readonly nowMs: number;
  readonly config: Config;
};

export function reconcile(input: ReconcileInput): Action[] {
  const live = groupByReplica(
    input.tasks.filter(({ facts }) => isLive(facts) && input.isOpen(facts.engine)),
  );
  const actions: Action[] = [];
  const assigned = new Set<ReplicaId>();
  for (const assignment of input.assignments) {
    assigned.add(assignment.replica);
    actions.push(...advance(assignment, live.get(assignment.replica) ?? [], input));
  }
  for (const [replica, tasks] of live) {
    if (!assigned.has(replica)) actions.push(...release(replica, tasks, input));
  }
  for (const tasks of live.values()) {
    actions.push(...finishDrains(tasks, input));
  }
  return actions;
}

/** One step of a replica that belongs here. */
function advance(
  assignment: Assignment,
  tasks: readonly LocalTask[],
  input: ReconcileInput,
): Action[] {
  const staying = tasks.filter((task) => !isLeaving(task));
  const sick = staying.filter(({ facts }) => facts.health === "unhealthy");
  if (sick.length > 0) return sick.map(({ facts }) => giveUp(facts.task));
  const fresh = staying.filter(({ facts }) => facts.revision === assignment.revision);
  const older = staying.filter(({ facts }) => facts.revision !== assignment.revision);
  if (fresh.length > 0) return retire(fresh, older, input);
  if (older.length > 0 && !assignment.mayReplace) return [];
  const stopFirst = replacesInPlace(assignment.spec);
  if (stopFirst && older.length > 0) {
    return older.map(({ facts }) => drain(facts.task, "makes room for a newer revision"));
  }
  if (stopFirst && tasks.length > 0) return [];
  return mayStart(assignment, older.length > 0, input) ? [{ kind: "start", assignment }] : [];
}

/** The keeper is the one that serves, else the oldest; everything else leaves once it does. */
function retire(
  fresh: readonly LocalTask[],
  older: readonly LocalTask[],
  { nowMs, config }: ReconcileInput,
): Action[] {
  const [keeper, ...doubles] = [...fresh].sort(
    (left, right) =>
      (left.readySinceMs ?? Number.POSITIVE_INFINITY) -
        (right.readySinceMs ?? Number.POSITIVE_INFINITY) ||
      left.facts.createdAtMs - right.facts.createdAtMs,
  );
  const actions = doubles.map(({ facts }) => drain(facts.task, "a second task of this replica"));
  const serving = keeper?.readySinceMs !== undefined;
  if (serving && nowMs - (keeper?.readySinceMs ?? nowMs) >= config.settleMs) {
    actions.push(...older.map(({ facts }) => drain(facts.task, "replaced by a newer revision")));
  }
  return actions;
}

function mayStart(assignment: Assignment, replacing: boolean, input: ReconcileInput): boolean {
  if (!assignment.engineOpen || assignment.finished) return false;
  if (input.nowMs < assignment.retryAtMs) return false;
  return replacing || input.nowMs - assignment.sinceMs >= input.config.startAfterMs;
}

/** Host ports and an only replica's volume cannot be held by two tasks at once. */
export function replacesInPlace(spec: ServiceSpec): boolean {
  return spec.update.order === "stop-first" || spec.ports.some(({ mode }) => mode === "host");
}

/** One step of a replica that runs here and belongs elsewhere, or nowhere. */
function release(replica: ReplicaId, tasks: readonly LocalTask[], input: ReconcileInput): Action[] {
  const staying = tasks.filter((task) => !isLeaving(task));
  const [first] = staying;
  if (first === undefined) return [];
  const elsewhere = input.elsewhere(replica, first.facts.service);
  const actions: Action[] = [];
  for (const task of staying) {
    const action = releaseOne(task, elsewhere, input);
    if (action !== undefined) actions.push(action);
  }
  return actions;
}

function releaseOne(
  task: LocalTask,
  elsewhere: Elsewhere,
  { frozen, nowMs, config }: ReconcileInput,
): Action | undefined {
  const id = task.facts.task;
  switch (elsewhere.kind) {
    case "removed":
      return stop(id, "its service was removed");
    case "surplus":
      return task.readySinceMs === undefined
        ? stop(id, "its replica is no longer wanted")
        : drain(id, "its replica is no longer wanted");
    case "moved": {
      if (frozen || elsewhere.readySinceMs === undefined) return undefined;
      if (nowMs - elsewhere.readySinceMs < config.settleMs) return undefined;
      return drain(id, "its replica is served elsewhere");
    }
    case "unplaced":
      return undefined;
  }
}

function finishDrains(tasks: readonly LocalTask[], { nowMs, config }: ReconcileInput): Action[] {
  return tasks
    .filter(({ stopping, drainingSinceMs }) => !stopping && drainingSinceMs !== undefined)
    .filter((task) => nowMs - (task.drainingSinceMs ?? nowMs) >= config.drainMs)
    .map(({ facts }) => stop(facts.task, facts.reason ?? "drained"));
}

function isLeaving(task: LocalTask): boolean {
  return task.stopping || task.drainingSinceMs !== undefined || task.facts.state === "stopping";
}

/** A task whose liveness check fails is replaced, and counts as one that failed. */
function giveUp(task: TaskId): Action {
  return { kind: "stop", task, reason: "its health check fails", failed: true };
}

function drain(task: TaskId, reason: string): Action {
  return { kind: "drain", task, reason };
}

function stop(task: TaskId, reason: string): Action {
  return { kind: "stop", task, reason, failed: false };
}

function groupByReplica(tasks: readonly LocalTask[]): Map<ReplicaId, LocalTask[]> {
  const groups = new Map<ReplicaId, LocalTask[]>();
  for (const task of tasks) {
    const group = groups.get(task.facts.replica);
    if (group === undefined) groups.set(task.facts.replica, [task]);
    else group.push(task);
  }
  return groups;
}
