/**
 * `shoal service update --image … --env-add …`: the options as a change of the current spec. The
 * whole new spec is written, never a difference, so that two updates at once never mix.
 */

import type { Constraint, ContainerWorkload, PublishedPort, ServiceSpec } from "../model/spec.ts";
import { parseConstraint } from "./compose/placement.ts";
import { splitWords } from "./compose/words.ts";
import { type Options, slip } from "./options.ts";

export type OptionHelp = readonly [flags: string, description: string];

export const changeOptions: readonly OptionHelp[] = [
  ["--image IMAGE", "image of the containers"],
  ["--args ARGS", "command, split as a shell would"],
  ["--env-add NAME=VALUE...", "set an environment variable"],
  ["--env-rm NAME...", "remove an environment variable"],
  ["--label-add NAME=VALUE...", "set a label of the service"],
  ["--label-rm NAME...", "remove a label of the service"],
  ["--constraint-add EXPRESSION...", "add a placement constraint"],
  ["--constraint-rm EXPRESSION...", "remove a placement constraint"],
  ["--publish-add PORT...", "publish a port: 8080:80 or 53:53/udp"],
  ["--publish-rm PORT...", "stop publishing the target port"],
  ["--isolation POLICY", "run, stay or majority: when a node is cut off"],
  ["--endpoint-mode MODE", "vip or dnsrr"],
  ["--limit-cpu CPUS", "at most so many CPUs"],
  ["--limit-memory BYTES", "at most so much memory"],
  ["--limit-pids COUNT", "at most so many processes"],
  ["--reserve-cpu CPUS", "only on nodes with so many CPUs to spare"],
  ["--reserve-memory BYTES", "only on nodes with so much memory to spare"],
  ["--restart-condition CONDITION", "any, on-failure or none"],
  ["--restart-delay DURATION", "wait before the next task"],
  ["--restart-max-attempts COUNT", "give up after so many; 0 never"],
  ["--stop-grace-period DURATION", "from stop signal to kill"],
  ["--update-parallelism COUNT", "replicas replaced at once; 0 all"],
  ["--update-delay DURATION", "between replacements"],
  ["--update-order ORDER", "start-first or stop-first"],
  ["--update-monitor DURATION", "failures within this time count"],
  ["--update-failure-action ACTION", "pause, continue or rollback"],
  ["--update-max-failure-ratio RATIO", "0 to 1"],
  ["--force", "replace every task although nothing changed"],
];

export function changeSpec(spec: ServiceSpec, options: Options): ServiceSpec {
  return {
    ...spec,
    workload: changeWorkload(spec.workload, options),
    ports: changePorts(spec.ports, options),
    labels: changeRecord(spec.labels, options, "label"),
    placement: { ...spec.placement, constraints: changeConstraints(spec, options) },
    resources: without({
      ...spec.resources,
      cpuLimitMilli: options.cpuMilli("limit-cpu") ?? spec.resources.cpuLimitMilli,
      memoryLimitBytes: options.bytes("limit-memory") ?? spec.resources.memoryLimitBytes,
      pidsLimit: options.whole("limit-pids") ?? spec.resources.pidsLimit,
      cpuReservationMilli: options.cpuMilli("reserve-cpu") ?? spec.resources.cpuReservationMilli,
      memoryReservationBytes:
        options.bytes("reserve-memory") ?? spec.resources.memoryReservationBytes,
    }),
    update: changeUpdate(spec.update, options),
    restart: changeRestart(spec.restart, options),
    isolation: options.choice("isolation", ["run", "stay", "majority"]) ?? spec.isolation,
    endpointMode: options.choice("endpoint-mode", ["vip", "dnsrr"]) ?? spec.endpointMode,
    ...(options.flag("force") ? { force: (spec.force ?? 0) + 1 } : {}),
  };
}

function changeWorkload(
  workload: ServiceSpec["workload"],
  options: Options,
): ServiceSpec["workload"] {
  const env = changeRecord(workload.env, options, "env");
  const args = options.text("args");
  const command = args === undefined ? workload.command : readArgs(args);
  const stopGraceMs = options.durationMs("stop-grace-period") ?? workload.stopGraceMs;
  if (workload.kind === "container") {
    const image = options.text("image") ?? workload.image;
    const changed = { ...workload, image, env, command, stopGraceMs };
    return without<ContainerWorkload>(changed);
  }
  if (options.has("image")) throw slip("--image", "this service runs as a process, without image");
  if (command === undefined || command.length === 0) {
    throw slip("--args", "a process needs a command");
  }
  return without({ ...workload, env, command, stopGraceMs });
}

function readArgs(text: string): readonly string[] {
  const words = splitWords(text);
  if (words === undefined) throw slip("--args", "a quote is not closed");
  return words;
}

function changeRecord(
  record: Readonly<Record<string, string>>,
  options: Options,
  name: "env" | "label",
): Record<string, string> {
  const added = Object.fromEntries(options.pairs(`${name}-add`));
  const removed = new Set(options.list(`${name}-rm`));
  const kept = Object.entries({ ...record, ...added }).filter(([key]) => !removed.has(key));
  return Object.fromEntries(kept);
}

function changePorts(ports: readonly PublishedPort[], options: Options): PublishedPort[] {
  const removed = options.list("publish-rm").map((text) => readPort(`1:${text}`, "publish-rm"));
  const added = options.list("publish-add").map((text) => readPort(text, "publish-add"));
  const isGone = (port: PublishedPort): boolean =>
    removed.some((one) => one.target === port.target && one.protocol === port.protocol) ||
    added.some((one) => one.published === port.published && one.protocol === port.protocol);
  return [...ports.filter((port) => !isGone(port)), ...added];
}

function readPort(text: string, option: string): PublishedPort {
  const match = /^(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  const published = Number(match?.[1] ?? 0);
  const target = Number(match?.[2] ?? 0);
  const isPort = (port: number): boolean => port >= 1 && port <= 65_535;
  if (!isPort(published) || !isPort(target)) {
    throw slip(`--${option}`, `expected a port such as 8080:80 or 53:53/udp, found "${text}"`);
  }
  return { published, target, protocol: match?.[3] === "udp" ? "udp" : "tcp", mode: "ingress" };
}

function changeConstraints(spec: ServiceSpec, options: Options): Constraint[] {
  const added = options.list("constraint-add").map((text) => readConstraint(text));
  const removed = options.list("constraint-rm").map((text) => readConstraint(text));
  const show = ({ key, operator, value }: Constraint): string => `${key}${operator}${value}`;
  const gone = new Set([...removed, ...added].map(show));
  return [...spec.placement.constraints.filter((one) => !gone.has(show(one))), ...added];
}

function readConstraint(text: string): Constraint {
  const constraint = parseConstraint(text);
  if (typeof constraint === "string") throw slip("--constraint", constraint);
  return constraint;
}

function changeUpdate(update: ServiceSpec["update"], options: Options): ServiceSpec["update"] {
  const actions = ["pause", "continue", "rollback"] as const;
  return {
    parallelism: options.whole("update-parallelism") ?? update.parallelism,
    delayMs: options.durationMs("update-delay") ?? update.delayMs,
    order: options.choice("update-order", ["start-first", "stop-first"]) ?? update.order,
    monitorMs: options.durationMs("update-monitor") ?? update.monitorMs,
    failureAction: options.choice("update-failure-action", actions) ?? update.failureAction,
    maxFailureRatio: options.ratio("update-max-failure-ratio") ?? update.maxFailureRatio,
  };
}

function changeRestart(restart: ServiceSpec["restart"], options: Options): ServiceSpec["restart"] {
  const conditions = ["any", "on-failure", "none"] as const;
  return {
    ...restart,
    condition: options.choice("restart-condition", conditions) ?? restart.condition,
    delayMs: options.durationMs("restart-delay") ?? restart.delayMs,
    maxAttempts: options.whole("restart-max-attempts") ?? restart.maxAttempts,
  };
}

/** Drops fields that are undefined: a spec says only what it means. */
function without<Shape extends object>(
  shape: { [Key in keyof Shape]: Shape[Key] | undefined },
): Shape {
  const kept = Object.entries(shape).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as Shape;
}
