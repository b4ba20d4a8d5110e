/**
 * Docker Swarm on the test bed, to compare with: three managers, tasks without networks, since
 * virtual addresses and the routing mesh want a kernel module (ip_vs) that hosts may lack.
 */

import type { Bed } from "../test/hosts/bed.ts";
import type { Host } from "../test/hosts/host.ts";
import { until } from "../test/until.ts";
import type { Side } from "./runs.ts";

const service = "hello";
const label = `com.docker.swarm.service.name=${service}`;
const settledMsMax = 60_000;

export const swarm: Side = { name: "swarm", label, form, deploy, remove, victim, recover };

async function form({ hosts }: Bed): Promise<void> {
  const [first, ...others] = hosts as [Host, ...Host[]];
  await first.exec(["docker", "swarm", "init", "--advertise-addr", first.address]);
  const token = (await first.exec(["docker", "swarm", "join-token", "-q", "manager"])).trim();
  for (const host of others) {
    const own = ["--advertise-addr", host.address];
    await host.exec(["docker", "swarm", "join", "--token", token, ...own, `${first.address}:2377`]);
  }
  await untilAllReady(first, hosts.length);
}

/** Through the engine's API, without the client's own waiting. */
async function deploy(via: Host, replicas: number): Promise<number> {
  const container = { Image: "hello:1", StopGracePeriod: 1_000_000_000 };
  const spec = {
    Name: service,
    TaskTemplate: { ContainerSpec: container, Networks: [] },
    Mode: { Replicated: { Replicas: replicas } },
  };
  const post = ["curl", "-sS", "--fail-with-body", "--unix-socket", "/run/docker.sock"];
  const json = ["-H", "Content-Type: application/json", "-d", JSON.stringify(spec)];
  await via.exec([...post, ...json, "http://d/v1.41/services/create"]);
  return Date.now();
}

async function remove(hosts: readonly Host[]): Promise<void> {
  const [via] = hosts as [Host];
  await via.exec(["docker", "service", "rm", service]);
  const list = ["docker", "ps", "-aq", "--filter", `label=${label}`];
  for (const host of hosts) {
    const gone = async () => (await host.exec(list)).trim() === "";
    await until(gone, settledMsMax, `the end of ${service} on ${host.name}`);
  }
}

/**
 * A follower: losing the leader costs Swarm some 50 s in place of 19 s, and a comparison takes the
 * other side's better case.
 */
async function victim(hosts: readonly Host[], run: number): Promise<Host> {
  const [via] = hosts as [Host];
  const list = ["docker", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"];
  const leader = (await via.exec(list)).split("\n").find((line) => line.endsWith(" Leader"));
  const followers = hosts.filter(({ name }) => leader !== `${name} Leader`);
  return followers[run % followers.length] as Host;
}

async function recover(hosts: readonly Host[], back: Host): Promise<void> {
  const survivor = hosts.find(({ number }) => number !== back.number) as Host;
  await untilAllReady(survivor, hosts.length);
}

/** Raft has a leader and every node is counted ready. */
async function untilAllReady(via: Host, count: number): Promise<void> {
  const list = ["docker", "node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}"];
  const allReady = async () => {
    const lines = (await via.exec(list)).trim().split("\n");
    return lines.filter((line) => /^Ready (?:Leader|Reachable)/.test(line)).length === count;
  };
  await until(allReady, settledMsMax, "all nodes of the swarm ready");
}
