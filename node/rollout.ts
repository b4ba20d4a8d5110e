/**
 * Rolling updates without a leader. Everyone reads the same task rows, so everyone can tell
 * which replicas are still on their way to the new revision: replica n may be replaced while
 * fewer than `parallelism` replicas before it are. Nothing is decided twice and nothing is sent.
 *
 * Failures are counted from the rows of failed tasks as well. Above the spec's ratio the rollout
 * stands still (`pause`) or turns back: the wanted spec becomes the one before it, on every node
 * that sees the same rows, without anyone writing a revision an operator did not sign.
 */

import type { TaskFacts } from "../model/documents.ts";
import type { NodeId, ReplicaId, RevisionId, TaskId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { UpdateStatus } from "../model/view.ts";
import { documentOf, revisionOf, type ServiceFacts } from "./mesh-facts.ts";

export type PlacedTask = TaskFacts & { readonly node: NodeId; readonly alive: boolean };

/** For how long a ready task has been seen ready, by this node's own time: ready-watch.ts. */
export type ReadyFor = (task: TaskId) => number;

export type Rollout = {
  /** What replicas are to become: the operator's spec, or the one before it after a failure. */
  readonly spec: ServiceSpec;
  readonly revision: RevisionId;
  /** Replicas that may leave an older revision now. Ones without any task need no leave. */
  readonly mayReplace: ReadonlySet<ReplicaId>;
  readonly status: UpdateStatus;
};

/** What replicas are to become, known before anything is placed. */
export type Aim = Pick<Rollout, "spec" | "revision"> & {
  /** It is the spec before the operator's, because too much of that failed. */
  readonly isBack: boolean;
  readonly failed: number;
  readonly tooMany: boolean;
};

/** `nodes`: how many are there to run it. */
export function aimOf(service: ServiceFacts, tasks: readonly PlacedTask[], nodes: number): Aim {
  const { spec, revision } = service;
  const replicas = spec.mode === "global" ? nodes : service.replicas;
  const previous = previousSpec(service);
  const failed = previous === undefined ? 0 : countFailed(service, tasks, nodes);
  const tooMany = failed > spec.update.maxFailureRatio * Math.max(1, replicas);
  if (previous === undefined || !tooMany || spec.update.failureAction !== "rollback") {
    return { spec, revision, isBack: false, failed, tooMany };
  }
  return { spec: previous, revision: revisionOf(previous), isBack: true, failed, tooMany };
}

export function planRollout(
  service: ServiceFacts,
  { spec, revision, isBack, failed, tooMany }: Aim,
  slots: readonly ReplicaId[],
  tasks: readonly PlacedTask[],
  readyForMs: ReadyFor,
): Rollout {
  const { update, rollback } = service.spec;
  const gate = openGate(slots, tasks, revision, isBack ? rollback : update, readyForMs);
  const { mayReplace, waiting } = gate;
  const failure = `${failed} of ${slots.length} replicas failed on ${short(service.revision)}`;
  if (isBack) {
    const state = waiting === 0 ? "rolled-back" : "rolling-back";
    return { spec, revision, mayReplace, status: { state, message: failure } };
  }
  const standsStill = tooMany && update.failureAction === "pause";
  if (waiting > 0 && (standsStill || service.paused)) {
    const message = standsStill ? failure : "paused by an operator";
    return { spec, revision, mayReplace: new Set(), status: { state: "paused", message } };
  }
  const state = waiting > 0 ? "updating" : "completed";
  const message = waiting > 0 ? `${slots.length - waiting} of ${slots.length} done` : "";
  return { spec, revision, mayReplace, status: { state, message } };
}

/** The nearest older revision, along the parents, that runs other tasks than the current one. */
export function previousSpec(service: ServiceFacts): ServiceSpec | undefined {
  const byId = new Map(service.register.revisions.map((revision) => [revision.id, revision]));
  const queue = [...service.current.parents];
  const seen = new Set<string>();
  while (queue.length > 0) {
    const id = queue.shift() as string;
    const revision = byId.get(id);
    if (revision === undefined || seen.has(id)) continue;
    seen.add(id);
    const document = documentOf(revision);
    if (document?.kind === "service" && revisionOf(document.spec) !== service.revision) {
      return document.spec;
    }
    queue.push(...revision.parents);
  }
  return undefined;
}

/**
 * Replicas of which a task of the new revision failed; only while older ones are about. A task
 * that never exited (refused by its engine, lost with its host) may say more about the host than
 * about the revision, so it takes a second host to say so too, where there is one.
 */
function countFailed(service: ServiceFacts, tasks: readonly PlacedTask[], nodes: number): number {
  const { monitorMs } = service.spec.update;
  const failed = tasks
    .filter(({ revision, state }) => revision === service.revision && state === "failed")
    .filter(({ createdAtMs }) => createdAtMs >= service.current.stamp.timeMs - 1_000)
    .filter((task) => task.changedAtMs - task.createdAtMs <= monitorMs + startAllowanceMs);
  const refusing = new Set(failed.filter(isHostsFault).map(({ node }) => node));
  const convicting = refusing.size >= Math.min(2, nodes);
  const counted = failed.filter((task) => convicting || !isHostsFault(task));
  return new Set(counted.map(({ replica }) => replica)).size;
}

function isHostsFault({ exitCode }: TaskFacts): boolean {
  return exitCode === undefined;
}

/** A task needs time to be made before it can fail; it counts on top of the monitor's window. */
const startAllowanceMs = 30_000;

function openGate(
  slots: readonly ReplicaId[],
  tasks: readonly PlacedTask[],
  revision: RevisionId,
  update: { readonly parallelism: number; readonly delayMs: number },
  readyForMs: ReadyFor,
): { mayReplace: ReadonlySet<ReplicaId>; waiting: number } {
  const settled = new Set<ReplicaId>();
  const older = new Set<ReplicaId>();
  for (const task of tasks) {
    if (!task.alive || !isLive(task)) continue;
    if (task.revision !== revision) older.add(task.replica);
    else if (task.ready && readyForMs(task.task) >= update.delayMs) settled.add(task.replica);
  }
  const mayReplace = new Set<ReplicaId>();
  const limit = update.parallelism === 0 ? slots.length : update.parallelism;
  let onTheirWay = 0;
  let waiting = 0;
  for (const replica of slots) {
    if (settled.has(replica)) continue;
    if (older.has(replica)) waiting++;
    if (onTheirWay < limit) mayReplace.add(replica);
    onTheirWay++;
  }
  return { mayReplace, waiting };
}

export function isLive(task: { readonly state: TaskFacts["state"] }): boolean {
  return task.state !== "complete" && task.state !== "failed";
}

function short(revision: string): string {
  return revision.slice(0, 12);
}
