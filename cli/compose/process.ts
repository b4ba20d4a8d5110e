/** A service that runs as a process of the host (x-shoal.engine: process): no image at all. */

import type { ProcessWorkload } from "../../model/spec.ts";
import { readEnvironment } from "./environment.ts";
import { defined, type Field } from "./field.ts";
import type { SourceContext } from "./source.ts";

/** Keys that mean something without a container. */
const shared: ReadonlySet<string> = new Set([
  "command",
  "depends_on",
  "deploy",
  "entrypoint",
  "env_file",
  "environment",
  "expose",
  "healthcheck",
  "links",
  "networks",
  "ports",
  "profiles",
  "restart",
  "scale",
  "stop_grace_period",
  "stop_signal",
  "cpus",
  "mem_limit",
  "mem_reservation",
  "pids_limit",
]);

export function readProcess(service: Field, context: SourceContext): ProcessWorkload | undefined {
  for (const [key, field] of service.entries()) {
    if (shared.has(key) || key.startsWith("x-") || !field.isPresent) continue;
    field.unsupported("a process has no container: leave it out, or use the docker engine");
  }
  const command = [
    ...(service.get("entrypoint").command() ?? []),
    ...(service.get("command").command() ?? []),
  ];
  const env = readEnvironment(service, context);
  const stopSignal = service.get("stop_signal").word();
  const stopGraceMs = service.get("stop_grace_period").durationMs();
  if (command.length === 0) return service.invalid("a process needs a command");
  return { kind: "process", command, env, ...defined({ stopSignal, stopGraceMs }) };
}
