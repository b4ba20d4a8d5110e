/** Shoal on the test bed: agents with the Docker engine, asked through the command `shoal`. */

import { Bed } from "../test/hosts/bed.ts";
import type { Host } from "../test/hosts/host.ts";
import { BedMesh } from "../test/hosts/mesh.ts";
import { until } from "../test/until.ts";
import type { Side } from "./runs.ts";

const stack = "bench";
const service = `${stack}/hello`;
const label = `shoal.service=${service}`;
const settledMsMax = 60_000;

export const shoal: Side = { name: "shoal", label, form, deploy, remove, victim, recover };

/** No published port, as on the other side: only the replicas' own addresses are asked. */
export function composeFile(replicas: number): string {
  return `
name: ${stack}
services:
  hello:
    image: hello:1
    pull_policy: never
    stop_grace_period: 1s
    expose: ["80"]
    deploy:
      replicas: ${replicas}
`;
}

async function form(bed: Bed): Promise<void> {
  const mesh = await BedMesh.form(bed);
  await mesh.shareKey();
}

/** The command ends when a peer has accepted: with its own end, which only makes this later. */
async function deploy(via: Host, replicas: number): Promise<number> {
  const input = composeFile(replicas);
  await via.exec(["shoal", "deploy", "--detach", "-f", "-"], { input });
  return Date.now();
}

async function remove(hosts: readonly Host[]): Promise<void> {
  const [via] = hosts as [Host];
  await via.exec(["shoal", "stack", "rm", "--yes", stack], { timeoutMs: settledMsMax });
  const list = ["docker", "ps", "-q", "--filter", `label=${label}`];
  for (const host of hosts) {
    const gone = async () => (await host.exec(list)).trim() === "";
    await until(gone, settledMsMax, `the end of ${service} on ${host.name}`);
  }
}

/** Each in turn: none is more than the others. */
async function victim(hosts: readonly Host[], run: number): Promise<Host> {
  return hosts[run % hosts.length] as Host;
}

async function recover(_hosts: readonly Host[], back: Host): Promise<void> {
  const mesh = new BedMesh(new Bed());
  await mesh.startAgent(back);
  await mesh.untilWhole();
}
