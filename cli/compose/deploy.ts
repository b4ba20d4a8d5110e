/**
 * How a service is run rather than what: mode, replicas, updates, restarts, resources. From
 * `deploy` and from the older keys beside it, which `deploy` wins over.
 * Source: Compose Deploy Specification; Swarm's defaults where it leaves things open.
 */

import type { ResourceSpec, RestartSpec, UpdateSpec } from "../../model/spec.ts";
import { defined, type Field } from "./field.ts";

export type Mode = {
  readonly mode: "replicated" | "global";
  /** Undefined when the file does not say: then a scale set by hand stays. */
  readonly replicas: number | undefined;
};

/** As model/parse.ts bounds it. */
const replicasMax = 100_000;

export function readMode(service: Field): Mode {
  const field = service.get("deploy").get("mode");
  const choices = ["replicated", "global", "replicated-job", "global-job"] as const;
  const mode = field.choice(choices) ?? "replicated";
  const wanted = service.get("deploy").get("replicas");
  const replicas = wanted.whole(0, replicasMax);
  const scale = service.get("scale").whole(0, replicasMax);
  if (mode === "replicated") return { mode, replicas: replicas ?? scale };
  if (mode !== "global") field.unsupported("jobs: tasks that end are not kept count of");
  else if (wanted.isPresent) wanted.invalid("a global service runs once on every node");
  return { mode: "global", replicas: undefined };
}

export function readUpdate(field: Field, order: UpdateSpec["order"]): UpdateSpec {
  const unlimited = field.get("parallelism").whole();
  return {
    parallelism: unlimited ?? 1,
    delayMs: field.get("delay").durationMs() ?? 0,
    order: field.get("order").choice(["start-first", "stop-first"]) ?? order,
    monitorMs: field.get("monitor").durationMs() ?? 5_000,
    failureAction: field.get("failure_action").choice(["pause", "continue", "rollback"]) ?? "pause",
    maxFailureRatio: field.get("max_failure_ratio").ratio() ?? 0,
  };
}

/** A rollback that fails cannot roll back again. */
export function readRollback(field: Field, order: UpdateSpec["order"]): UpdateSpec {
  const update = readUpdate(field, order);
  if (update.failureAction !== "rollback") return update;
  field.get("failure_action").invalid("a rollback can pause or continue, no more");
  return { ...update, failureAction: "pause" };
}

const restartDefaults: RestartSpec = {
  condition: "any",
  delayMs: 5_000,
  maxAttempts: 0,
  windowMs: 0,
};

export function readRestart(service: Field): RestartSpec {
  const policy = service.get("deploy").get("restart_policy");
  if (!policy.isPresent) return { ...restartDefaults, ...readOldRestart(service.get("restart")) };
  return {
    condition: readCondition(policy.get("condition")),
    delayMs: policy.get("delay").durationMs() ?? restartDefaults.delayMs,
    maxAttempts: policy.get("max_attempts").whole() ?? restartDefaults.maxAttempts,
    windowMs: policy.get("window").durationMs() ?? restartDefaults.windowMs,
  };
}

/** Real files write `restart` words here; Swarm takes them for "any". */
function readCondition(field: Field): RestartSpec["condition"] {
  const choices = ["any", "on-failure", "none", "always", "unless-stopped", "no"] as const;
  const condition = field.choice(choices) ?? "any";
  if (condition === "always" || condition === "unless-stopped") return "any";
  return condition === "no" ? "none" : condition;
}

function readOldRestart(field: Field): Partial<RestartSpec> {
  const [word = "", attempts] = (field.word() ?? "").split(":");
  if (word === "" || word === "always" || word === "unless-stopped") return { condition: "any" };
  // Unquoted `no` is a boolean to some writers of YAML.
  if (word === "no" || word === "false") return { condition: "none" };
  if (word !== "on-failure" || (attempts !== undefined && !/^\d+$/.test(attempts))) {
    field.invalid(`expected no, always, unless-stopped or on-failure:N, found "${field.word()}"`);
    return {};
  }
  return { condition: "on-failure", maxAttempts: Number(attempts ?? 0) };
}

export function readResources(service: Field): ResourceSpec {
  const limits = service.get("deploy").get("resources").get("limits");
  const reservations = service.get("deploy").get("resources").get("reservations");
  const resources: ResourceSpec = defined({
    cpuLimitMilli: limits.get("cpus").cpuMilli() ?? readOldCpus(service.get("cpus")),
    memoryLimitBytes: limits.get("memory").bytes() ?? nonZero(service.get("mem_limit").bytes()),
    pidsLimit: nonZero(readPids(limits.get("pids")) ?? readPids(service.get("pids_limit"))),
    cpuReservationMilli: reservations.get("cpus").cpuMilli(),
    memoryReservationBytes:
      reservations.get("memory").bytes() ?? nonZero(service.get("mem_reservation").bytes()),
  });
  checkOrder(reservations, resources);
  return resources;
}

function checkOrder(reservations: Field, resources: ResourceSpec): void {
  const { memoryLimitBytes, memoryReservationBytes, cpuLimitMilli, cpuReservationMilli } =
    resources;
  const above = "more is reserved than the limit allows";
  if ((memoryReservationBytes ?? 0) > (memoryLimitBytes ?? Number.POSITIVE_INFINITY)) {
    reservations.get("memory").invalid(above);
  }
  if ((cpuReservationMilli ?? 0) > (cpuLimitMilli ?? Number.POSITIVE_INFINITY)) {
    reservations.get("cpus").invalid(above);
  }
}

/** In the older keys 0 means no limit. */
function readOldCpus(field: Field): number | undefined {
  return field.isPresent && Number(field.word()) === 0 ? undefined : field.cpuMilli();
}

/** -1 is Docker's word for no limit. */
function readPids(field: Field): number | undefined {
  return field.word() === "-1" ? undefined : field.whole();
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}
