/**
 * From a write's acceptance at one peer to its being known at all peers. Each agent's own stream
 * of events says when it knows; the accepting agent's event is the start.
 */

import { request } from "node:http";
import { createInterface } from "node:readline";
import type { MeshEvent } from "../model/view.ts";
import { Bed } from "../test/hosts/bed.ts";
import type { Host } from "../test/hosts/host.ts";
import { BedMesh } from "../test/hosts/mesh.ts";
import { until } from "../test/until.ts";
import { percentile, type RunBench, rounded } from "./figures.ts";

const nodes = 10;
const writes = 50;
const service = "bench/quiet";
/** A service that runs nothing, so that only the write itself is news. */
const compose = `
name: bench
services:
  quiet:
    image: hello:1
    deploy:
      replicas: 0
`;

/** When each node heard of the service last, by `performance.now`. */
type Heard = Map<number, number>;

export const run: RunBench = async ({ say }) => {
  const bed = new Bed();
  const times: number[] = [];
  await bed.up(nodes);
  try {
    const mesh = await BedMesh.form(bed);
    await mesh.shareKey();
    const { hosts } = bed;
    await mesh.shoal(hosts[0] as Host, ["deploy", "--detach", "-f", "-"], compose);
    await mesh.untilWhole();
    const heard: Heard = new Map();
    const streams = await Promise.all(hosts.map((host) => listen(host, heard)));
    for (let write = 0; write < writes; write++) {
      const via = hosts[write % nodes] as Host;
      heard.clear();
      const label = ["--label-add", `write=${write}`];
      await mesh.shoal(via, ["service", "update", "--detach", ...label, service]);
      await until(() => heard.size === nodes, 10_000, `write ${write} at all nodes`);
      times.push(Math.max(...heard.values()) - (heard.get(via.number) as number));
    }
    for (const stream of streams) stream.destroy();
  } finally {
    await bed.down();
  }
  say(`${writes} writes at ${nodes} nodes`);
  const [p50Ms, p99Ms] = [percentile(times, 0.5), percentile(times, 0.99)];
  return { p50Ms: rounded(p50Ms, 1), p99Ms: rounded(p99Ms, 1), nodes };
};

/** Resolves when the agent's events flow. */
function listen(host: Host, heard: Heard): Promise<{ destroy(): void }> {
  // The host's own socket, seen from outside.
  const socketPath = `/proc/${host.pid}/root/var/lib/shoal/shoal.sock`;
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: "/v1/events", agent: false });
    asked.once("error", reject);
    asked.once("response", (response) => {
      // Power and agents go at the end of the run; then there is nothing left to hear.
      response.on("error", () => undefined);
      createInterface({ input: response }).on("line", (line) => {
        const event: MeshEvent = JSON.parse(line);
        if (event.kind !== "service" || event.subject !== service) return;
        if (!heard.has(host.number)) heard.set(host.number, performance.now());
      });
      resolve(response);
    });
    asked.end();
  });
}
