/** Task rows, specs and services for tables: small text in, model out. */

import { heads, mergeRevision, type Register, writeRevision } from "../../crdt/register.ts";
import type { TaskFacts, TaskState } from "../../model/documents.ts";
import type { NodeId, ReplicaId, RevisionId, ServiceId, TaskId } from "../../model/ids.ts";
import { splitReplicaId } from "../../model/ids.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type { LocalTask } from "../../node/local-tasks.ts";
import { revisionOf, type ServiceFacts } from "../../node/mesh-facts.ts";
import type { PlacedTask } from "../../node/rollout.ts";
import { identityFromSeed } from "../../trust/identity.ts";

export const nowMs = 1_000_000;
export const service = "demo/web" as ServiceId;
const author = identityFromSeed(new Uint8Array(32).fill(7));

const update: ServiceSpec["update"] = {
  parallelism: 1,
  delayMs: 0,
  order: "start-first",
  monitorMs: 5_000,
  failureAction: "pause",
  maxFailureRatio: 0,
};

/** Specs that differ in `version` alone are different revisions. */
export function spec(version: string, change: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    service,
    workload: { kind: "process", command: ["serve"], env: { VERSION: version } },
    mode: "replicated",
    ports: [],
    expose: [],
    endpointMode: "vip",
    placement: { algorithm: 1, priority: 0, constraints: [], spread: [], maxPerNode: 0 },
    resources: {},
    health: { disabled: false },
    update,
    rollback: update,
    restart: { condition: "any", delayMs: 500, maxAttempts: 0, windowMs: 0 },
    isolation: "run",
    labels: {},
    ...change,
  };
}

export function updates(change: Partial<ServiceSpec["update"]>): Partial<ServiceSpec> {
  return { update: { ...update, ...change }, rollback: { ...update, ...change } };
}

/** A service whose revisions were written in this order, a second apart; the last one counts. */
export function history(specs: readonly ServiceSpec[], replicas: number): ServiceFacts {
  let register: Register | undefined;
  specs.forEach((each, index) => {
    const time = { timeMs: nowMs - 60_000 + index * 1_000, counter: 0 };
    const key = `service/${service}`;
    const draft = { key, generation: index + 1, time, parents: heads(register) };
    const document = { kind: "service", spec: each };
    register = mergeRevision(register, writeRevision("mesh", draft, document, author));
  });
  const current = register?.revisions[0];
  const last = specs.at(-1);
  if (register === undefined || current === undefined || last === undefined) {
    throw new Error("a service has a revision");
  }
  const createdAtMs = nowMs - 60_000;
  const revision = revisionOf(last);
  return { service, spec: last, revision, paused: false, replicas, createdAtMs, register, current };
}

/** "a" stands for itself where specs do not matter. */
export function revision(text: string): RevisionId {
  return text as RevisionId;
}

let made = 0;

/** "2@a ready": replica 2 at revision a. `atMs` is when it was made. */
export function facts(text: string, atMs = nowMs - 30_000): TaskFacts {
  const [label = "", ...words] = text.split(" ");
  const [slot = "", of = ""] = label.split("@");
  const replica = `${service}.${slot}` as ReplicaId;
  const ready = words.includes("ready");
  const states = ["preparing", "starting", "draining", "stopping", "complete", "failed"] as const;
  const state: TaskState = states.find((each) => words.includes(each)) ?? "running";
  return {
    task: `${replica}.${of}${++made}` as TaskId,
    replica,
    service: splitReplicaId(replica).service,
    revision: revision(of),
    engine: "process",
    state,
    ready,
    health: words.includes("sick") ? "unhealthy" : "none",
    createdAtMs: atMs,
    changedAtMs: atMs,
    failures: 0,
    ...(state === "failed" && !words.includes("refused") ? { exitCode: 1 } : {}),
    ...(ready ? { endpoint: { address: "127.0.0.1", ports: { "80/tcp": 40_000 } } } : {}),
  };
}

/** "2@a ready 700": of this node, ready for 700 ms; "draining 700" likewise. */
export function local(text: string): LocalTask {
  const task = facts(text);
  const since = Number(/ (\d+)$/.exec(text)?.[1] ?? Number.NaN);
  const sinceMs = Number.isNaN(since) ? undefined : nowMs - since;
  return {
    facts: task,
    readySinceMs: task.ready ? (sinceMs ?? nowMs) : undefined,
    drainingSinceMs: task.state === "draining" ? (sinceMs ?? nowMs) : undefined,
    stopping: task.state === "stopping",
    givenUp: false,
    endedAtMs: undefined,
    stopOrdered: false,
    orderedAtMs: nowMs,
    seen: true,
    unwatched: false,
    problem: undefined,
  };
}

/** "n1 2@a ready": on that node. With "lost" its node is down. */
export function placed(text: string, atMs?: number): PlacedTask {
  const [node = "", ...rest] = text.split(" ");
  const alive = !rest.includes("lost");
  return { ...facts(rest.join(" "), atMs), node: node as NodeId, alive };
}

/** Items between commas; none in "". */
export function list<Item>(text: string, parse: (item: string) => Item): Item[] {
  return text === "" ? [] : text.split(", ").map(parse);
}
