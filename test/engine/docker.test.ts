/** The Docker engine: what every engine must do, and what only this one can do wrong. */

import { getuid } from "node:process";
import { openDockerEngine } from "../../engine/docker/docker-engine.ts";
import { containerName } from "../../engine/docker/labels.ts";
import type { TaskId } from "../../model/ids.ts";
import type { ContainerWorkload } from "../../model/spec.ts";
import { findCommand } from "../prepare.ts";
import { conform } from "./conformance.ts";
import type { EngineBed } from "./engine-bench.ts";
import { newContainer, randomSubnet } from "./orders.ts";
import { OwnDockerd } from "./own-dockerd.ts";

const container = (more: Partial<ContainerWorkload>) =>
  newContainer({ workingDir: "/www", ...more });

async function open(): Promise<EngineBed> {
  const dockerd = await OwnDockerd.create();
  await dockerd.makeImage("busy:1");
  const { socketPath } = dockerd;
  return {
    kind: "docker",
    newEngine: () => openDockerEngine({ socketPath, nodeName: "first" }),
    script: (text, env = {}) => container({ command: ["sh", "-c", text], env }),
    server: (delayS = 0) =>
      container({ command: ["sh", "-c", `sleep ${delayS}; exec httpd -f -p 80 -h /www`] }),
    nonsense: () => container({ command: ["no-such-command"] }),
    order: { subnet: randomSubnet(), dnsAddress: "10.127.0.1" },
    isLeft: (task: TaskId) =>
      dockerd.docker("ps", "-aq", "--filter", `name=${containerName(task)}`) !== "",
    close: () => dockerd.stop(),
  };
}

const isRoot = getuid?.() === 0;
const hasDocker = findCommand("dockerd") !== undefined && findCommand("docker") !== undefined;
const skip = isRoot && hasDocker ? false : "it needs root, dockerd and docker";
conform("the Docker engine", open, skip);
