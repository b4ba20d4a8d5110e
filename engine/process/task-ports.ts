/** The ports a process gets: published ones that are its own, else free ones. A door. */

import { OperationError } from "../../model/problem.ts";
import type { PortKey, ServiceSpec } from "../../model/spec.ts";
import { targetPorts } from "../task-entry.ts";
import { choosePort, isFree } from "./free-port.ts";
import type { PortMap } from "./process-environment.ts";

/** Throws OperationError with port-in-use. `taken` are those of this engine's other tasks. */
export async function assignPorts(
  spec: ServiceSpec,
  taken: ReadonlySet<number>,
  node: string,
): Promise<PortMap> {
  const ports: Record<PortKey, number> = {};
  const mine = new Set(taken);
  for (const [target, keys] of byTarget(targetPorts(spec))) {
    const fixed = spec.ports.find((port) => port.mode === "host" && port.target === target);
    const port = fixed?.published ?? (await choosePort(keys, mine));
    for (const key of keys) {
      const protocol = key.endsWith("/udp") ? "udp" : "tcp";
      const isGood = fixed === undefined || (await isFree(fixed.published, protocol));
      if (port === undefined || !isGood) {
        const detail = port === undefined ? "no port is free" : "something listens there";
        throw new OperationError({
          code: "port-in-use",
          port: port ?? target,
          protocol,
          node,
          detail,
        });
      }
      ports[key] = port;
      mine.add(port);
    }
  }
  return ports;
}

/** TCP and UDP of one target share a number, as they do in a container. */
function byTarget(keys: readonly PortKey[]): Map<number, PortKey[]> {
  const targets = new Map<number, PortKey[]>();
  for (const key of keys) {
    const target = Number.parseInt(key, 10);
    targets.set(target, [...(targets.get(target) ?? []), key]);
  }
  return targets;
}
