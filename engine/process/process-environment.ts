/** The environment of a task that is a process, and of the commands run beside it. Pure. */

import { dirname } from "node:path/posix";
import type { PortKey, ProcessWorkload } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";
import { type Environment, ownEnvironment } from "../environment.ts";
import { targetPorts } from "../task-entry.ts";

/** Target port → the port it is to listen on. */
export type PortMap = Readonly<Record<PortKey, number>>;

export type Surroundings = {
  /** The agent's own environment; little of it is passed on, for it may hold secrets. */
  readonly outer: Readonly<Record<string, string | undefined>>;
  /** The agent's own Node: "node" is there wherever Shoal is. */
  readonly nodePath: string;
  readonly home: string;
};

const passedOn = ["LANG", "LC_ALL", "TZ"];
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The spec's words win over all but the ports: a number of its own would collide with replicas. */
export function processEnvironment(
  order: StartOrder,
  workload: ProcessWorkload,
  ports: PortMap,
  { outer, nodePath, home }: Surroundings,
): Environment {
  const base = passedOn.flatMap((name) => {
    const value = outer[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(base),
    PATH: `${dirname(nodePath)}:${outer.PATH ?? usualPath}`,
    HOME: home,
    ...ownEnvironment(order),
    ...workload.env,
    ...portVariables(order, ports),
  };
}

/** PORT for the first target port, PORT_<target> for each. */
function portVariables({ spec }: StartOrder, ports: PortMap): Environment {
  const variables: Record<string, string> = {};
  for (const key of targetPorts(spec)) {
    const port = ports[key];
    if (port === undefined) continue;
    variables.PORT ??= String(port);
    variables[`PORT_${Number.parseInt(key, 10)}`] = String(port);
  }
  return variables;
}
