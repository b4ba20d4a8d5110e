/** What `docker inspect` says of a container of ours, in the agent's words. Pure. */

import type Dockerode from "dockerode";
import type { TaskEndpoint } from "../../model/documents.ts";
import type { Problem } from "../../model/problem.ts";
import type { Check, PortKey } from "../../model/spec.ts";
import type { ObservedTask } from "../../ports.ts";
import { targetPorts } from "../task-entry.ts";
import type { WatchPlan } from "../task-watch.ts";
import { parseTimestamp } from "../timestamp.ts";
import type { LabelledTask } from "./labels.ts";

export type Inspected = {
  readonly phase: "created" | "up" | "exited";
  readonly health: ObservedTask["health"];
  readonly endpoint: TaskEndpoint | undefined;
  readonly exitCode: number | undefined;
  readonly problem: Problem | undefined;
  /** Unix ms. */
  readonly startedAtMs: number;
};

export function readInspection(
  info: Dockerode.ContainerInspectInfo,
  { identity, spec }: LabelledTask,
): Inspected {
  const { State } = info;
  const isOver = State.Status === "exited" || State.Status === "dead";
  const phase = State.Status === "created" ? "created" : isOver ? "exited" : "up";
  const problem: Problem | undefined =
    isOver && State.OOMKilled
      ? { code: "task-failed", task: identity.task, detail: outOfMemory(info) }
      : undefined;
  return {
    phase,
    health: phase === "up" ? engineHealth(State.Health?.Status) : "none",
    endpoint: phase === "up" ? endpointOf(info, targetPorts(spec)) : undefined,
    exitCode: isOver ? State.ExitCode : undefined,
    problem,
    // The year 1 stands for "never".
    startedAtMs: Math.max(parseTimestamp(State.StartedAt) ?? 0, identity.createdAtMs),
  };
}

function outOfMemory(info: Dockerode.ContainerInspectInfo): string {
  const limit = info.HostConfig.Memory ?? 0;
  const said = limit > 0 ? ` at its limit of ${limit} bytes` : "";
  return `out of memory: the kernel killed it${said}`;
}

function engineHealth(status: string | undefined): ObservedTask["health"] {
  if (status === "healthy" || status === "unhealthy" || status === "starting") return status;
  return "none";
}

/** Target ports stand for themselves: the container has an address of its own, or the host's. */
function endpointOf(
  { NetworkSettings, HostConfig }: Dockerode.ContainerInspectInfo,
  ports: readonly PortKey[],
): TaskEndpoint | undefined {
  const isHost = HostConfig.NetworkMode === "host";
  const [network] = Object.values(NetworkSettings.Networks ?? {});
  const address = isHost ? "127.0.0.1" : network?.IPAddress || network?.GlobalIPv6Address;
  if (!address) return undefined;
  const same = ports.map((port) => [port, Number.parseInt(port, 10)]);
  return { address, ports: Object.fromEntries(same) };
}

/**
 * How a running container is watched. A check that Docker makes by itself, of the spec or of the
 * image, is only tried by us until its first success: Docker waits a whole interval before that.
 */
export function watchPlan(
  info: Dockerode.ContainerInspectInfo,
  { spec }: LabelledTask,
  { endpoint, startedAtMs }: Inspected,
): WatchPlan {
  const byDocker = dockersCheck(info.Config.Healthcheck);
  const liveness = spec.health.disabled ? undefined : (byDocker ?? spec.health.liveness);
  const { readiness } = spec.health;
  const hasCheck = liveness !== undefined || readiness !== undefined;
  const tcp = targetPorts(spec).filter((port) => port.endsWith("/tcp"));
  return {
    liveness,
    livenessOnce: byDocker !== undefined,
    readiness,
    ports: hasCheck || endpoint === undefined ? [] : tcp.map((port) => Number.parseInt(port, 10)),
    address: endpoint?.address ?? "",
    startedAtMs,
  };
}

/** Docker's defaults for what is left out, ms. */
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, retries: 3 };

function dockersCheck(config: Dockerode.HealthConfig | undefined): Check | undefined {
  const [kind, ...words] = config?.Test ?? [];
  if (config === undefined || (kind !== "CMD" && kind !== "CMD-SHELL")) return undefined;
  const ms = (nanoseconds: number | undefined): number => (nanoseconds ?? 0) / 1_000_000;
  return {
    test: { kind: "command", command: words, shell: kind === "CMD-SHELL" },
    intervalMs: ms(config.Interval) || defaults.intervalMs,
    timeoutMs: ms(config.Timeout) || defaults.timeoutMs,
    retries: config.Retries || defaults.retries,
    startPeriodMs: ms(config.StartPeriod),
  };
}

/** The container's own shell is known to Docker only; this is what nearly every image has. */
export function argvOf(command: readonly string[], shell: boolean): string[] {
  return shell ? ["/bin/sh", "-c", command.join(" ")] : [...command];
}
