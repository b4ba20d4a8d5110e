/** What a node says of itself when it starts. A door: it looks at the machine. */

import { existsSync } from "node:fs";
import { availableParallelism, hostname, totalmem } from "node:os";
import type { EngineKind, NodeFacts } from "../model/documents.ts";
import type { Settings } from "./settings.ts";

export const dockerSocket = "/var/run/docker.sock";

/** Protocol levels that this version speaks, lowest and highest. */
const protocolLevels: readonly [number, number] = [1, 1];

export function nameOf({ name }: Settings): string {
  return name ?? hostname();
}

/** Docker counts where its socket is; that it answers is the engine's own business to find out. */
export function enginesOf({ engines }: Settings): readonly EngineKind[] {
  if (engines !== undefined) return engines;
  return existsSync(dockerSocket) ? ["docker", "process"] : ["process"];
}

export function describeNode(
  settings: Settings,
  version: string,
  learnt: Pick<NodeFacts, "addresses" | "probePort" | "subnet">,
): NodeFacts {
  return {
    name: nameOf(settings),
    version,
    protocol: protocolLevels,
    os: process.platform,
    arch: process.arch,
    engines: enginesOf(settings),
    cpuMilli: availableParallelism() * 1000,
    memoryBytes: totalmem(),
    labels: settings.labels,
    dataPath: "userspace",
    ailments: [],
    ...learnt,
  };
}
