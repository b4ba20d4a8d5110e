/** The Docker engine: what every engine must do, and what only this one can do wrong. */

import { getuid } from "node:process";
import { openDockerEngine } from "../../engine/docker/docker-engine.ts";
import { containerName } from "../../engine/docker/labels.ts";
import type { TaskId } from "../../model/ids.ts";
import type { ContainerWorkload } from "../../model/spec.ts";
import { findCommand } from "../prepare.ts";
import { conform, type EngineBed } from "./conformance.ts";
import { OwnDockerd } from "./own-dockerd.ts";

const image = "busy:1";

function container(more: Partial<ContainerWorkload>): ContainerWorkload {
  return {
    kind: "container",
    image,
    pull: "never",
    env: {},
    containerLabels: {},
    mounts: [],
    workingDir: "/www",
    ...more,
  };
}

/** Somewhere in 10.128.0.0/9, so that two runs side by side do not meet. */
function randomSubnet(): string {
  const part = (first: number, count: number) => first + Math.floor(Math.random() * count);
  return `10.${part(128, 128)}.${part(0, 256)}.0/24`;
}

async function open(): Promise<EngineBed> {
  const dockerd = await OwnDockerd.create();
  await dockerd.makeImage(image);
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
