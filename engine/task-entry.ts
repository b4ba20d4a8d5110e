/** A task as an engine holds it, and what the agent is told of it. Pure; both engines share it. */

import type { TaskEndpoint } from "../model/documents.ts";
import { splitReplicaId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { PortKey, ServiceSpec } from "../model/spec.ts";
import type { ObservedTask, StartOrder } from "../ports.ts";
import { unknownVerdict, type Verdict } from "./checks.ts";

export type TaskIdentity = Pick<
  ObservedTask,
  "task" | "replica" | "service" | "revision" | "createdAtMs"
>;

export type TaskEntry = {
  readonly identity: TaskIdentity;
  phase: "preparing" | "up" | "stopping" | "exited" | "refused";
  verdict: Verdict;
  /** Was ready once: `running` does not go back to `starting`. */
  settled: boolean;
  endpoint: TaskEndpoint | undefined;
  exitCode: number | undefined;
  problem: Problem | undefined;
  /** The agent has forgotten it: it is on its way out and in no report. */
  removed: boolean;
};

export function newEntry(identity: TaskIdentity): TaskEntry {
  return {
    identity,
    phase: "preparing",
    verdict: unknownVerdict,
    settled: false,
    endpoint: undefined,
    exitCode: undefined,
    problem: undefined,
    removed: false,
  };
}

export function identityOf(order: StartOrder, createdAtMs: number): TaskIdentity {
  const { task, replica, revision } = order;
  return { task, replica, service: splitReplicaId(replica).service, revision, createdAtMs };
}

/** What its watch says now. */
export function hear(entry: TaskEntry, verdict: Verdict): void {
  entry.verdict = verdict;
  if (verdict.ready) entry.settled = true;
}

export function observe(entry: TaskEntry): ObservedTask {
  const { identity, phase, verdict, endpoint, exitCode, problem } = entry;
  const isUp = phase === "up";
  return {
    ...identity,
    state: isUp ? (entry.settled ? "running" : "starting") : phase,
    health: phase === "exited" || phase === "refused" ? "none" : verdict.health,
    ready: isUp && verdict.ready,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Target ports a task is to be reached at: published ones first, each once. */
export function targetPorts(spec: Pick<ServiceSpec, "ports" | "expose">): readonly PortKey[] {
  const published = spec.ports.map(({ target, protocol }): PortKey => `${target}/${protocol}`);
  return [...new Set([...published, ...spec.expose])];
}

export function isOver({ phase }: TaskEntry): boolean {
  return phase === "exited" || phase === "refused";
}
