/** How a task that is a process is checked: over its ports, or by a command beside it. A door. */

import type { CheckTest, PortKey, ServiceSpec } from "../../model/spec.ts";
import { probe } from "../probe.ts";
import { targetPorts } from "../task-entry.ts";
import type { WatchPlan } from "../task-watch.ts";
import type { PortMap } from "./process-environment.ts";
import { runsWell } from "./process-exec.ts";
import type { TaskCommands } from "./task-commands.ts";

export const processAddress = "127.0.0.1";

export function watchPlan(spec: ServiceSpec, ports: PortMap, startedAtMs: number): WatchPlan {
  const { health } = spec;
  const liveness = health.disabled ? undefined : health.liveness;
  const hasCheck = liveness !== undefined || health.readiness !== undefined;
  const tcp = targetPorts(spec).filter((key) => key.endsWith("/tcp"));
  return {
    liveness,
    livenessOnce: false,
    readiness: health.readiness,
    ports: hasCheck ? [] : tcp.flatMap((key) => ports[key] ?? []),
    address: processAddress,
    startedAtMs,
  };
}

export async function performCheck(
  test: CheckTest,
  commands: TaskCommands,
  ports: PortMap,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (test.kind !== "command") {
    // A port that the spec does not name is what it says.
    const port = ports[`${test.port}/tcp` as PortKey] ?? test.port;
    return await probe(test, { address: processAddress, port }, timeoutMs, signal);
  }
  const argv = test.shell ? ["/bin/sh", "-c", test.command.join(" ")] : test.command;
  const command = commands.find(argv, ports);
  return command !== undefined && (await runsWell(command, timeoutMs, signal));
}
