/** What really runs on the hosts of a run, and what its agents wrote into the machine's log. */

import { existsSync, readFileSync, statSync } from "node:fs";
import type { Bed } from "../bed.ts";
import type { Host } from "../host.ts";
import type { Container } from "./containers.ts";

/** Agents of all beds of this machine write here. */
const log = "/var/log/shoal.log";

/** All that run, on the hosts that are up. */
export async function containersOf(bed: Bed): Promise<Container[]> {
  const up = bed.hosts.filter(({ pid }) => pid !== undefined);
  return (await Promise.all(up.map(containersOn))).flat();
}

async function containersOn(host: Host): Promise<Container[]> {
  const format = '{{.Id}} {{index .Config.Labels "shoal.service"}} {{.State.StartedAt}}';
  // One that ends between the two commands is no fault.
  const script = `docker ps -q --no-trunc --filter label=shoal.service | xargs -r docker inspect -f '${format}' 2>/dev/null || :`;
  const lines = (await host.exec(["sh", "-c", script])).split("\n").filter(Boolean);
  return lines.map((line) => {
    const [id, service, startedAt] = line.split(" ") as [string, string, string];
    return { host: host.number, id, service, startedAt };
  });
}

export class LogWatch {
  #offset = existsSync(log) ? statSync(log).size : 0;

  /** Lines since the last look in which one of these nodes calls something a bug. */
  bugs(nodes: readonly string[]): string[] {
    if (!existsSync(log)) return [];
    const bytes = readFileSync(log);
    const text = bytes.subarray(this.#offset).toString("utf8");
    this.#offset = bytes.length;
    return text.split("\n").filter((line) => {
      return line.includes('"event":"bug"') && nodes.some((node) => line.includes(node));
    });
  }
}
