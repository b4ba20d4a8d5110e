/**
 * Docker Swarm on the test bed, to compare with: three managers, tasks without networks, since
 * virtual addresses and the routing mesh want a kernel module (ip_vs) that hosts may lack.
 */

import type { Host } from "../test/hosts/host.ts";
import { until } from "../test/until.ts";

/** The label by which `Watchers` finds a service's containers. */
export function swarmLabel(service: string): string {
  return `com.docker.swarm.service.name=${service}`;
}

/** Makes one swarm of these hosts, all of them managers. */
export async function formSwarm(hosts: readonly Host[]): Promise<void> {
  const [first, ...others] = hosts as [Host, ...Host[]];
  await first.exec(["docker", "swarm", "init", "--advertise-addr", first.address]);
  const token = (await first.exec(["docker", "swarm", "join-token", "-q", "manager"])).trim();
  for (const host of others) {
    const door = `${first.address}:2377`;
    const own = ["--advertise-addr", host.address];
    await host.exec(["docker", "swarm", "join", "--token", token, ...own, door]);
  }
  await untilAllReady(first, hosts.length);
}

/** Raft has a leader and every node is counted ready. */
export async function untilAllReady(via: Host, count: number): Promise<void> {
  const list = ["docker", "node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}"];
  await until(
    async () => {
      const lines = (await via.exec(list)).trim().split("\n");
      const ready = lines.filter((line) => /^Ready (?:Leader|Reachable)/.test(line));
      return ready.length === count;
    },
    60_000,
    "all nodes of the swarm ready",
  );
}

/** The host that leads the others now. */
export async function leaderOf(hosts: readonly Host[]): Promise<Host> {
  const [via] = hosts as [Host];
  const list = ["docker", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"];
  const line = (await via.exec(list)).split("\n").find((text) => text.endsWith(" Leader"));
  const leader = hosts.find(({ name }) => line?.startsWith(`${name} `));
  if (leader === undefined) throw new Error("the swarm has no leader");
  return leader;
}

/** Through the engine's API, without the client's own start and wait. Returns when it was sent. */
export async function createService(via: Host, service: string, replicas: number): Promise<number> {
  const container = { Image: "hello:1", StopGracePeriod: 1_000_000_000 };
  const spec = {
    Name: service,
    TaskTemplate: { ContainerSpec: container, Networks: [] },
    Mode: { Replicated: { Replicas: replicas } },
  };
  const post = ["curl", "-sS", "--fail-with-body", "--unix-socket", "/run/docker.sock"];
  const json = ["-H", "Content-Type: application/json", "-d", JSON.stringify(spec)];
  const sentAtMs = Date.now();
  await via.exec([...post, ...json, "http://d/v1.41/services/create"]);
  return sentAtMs;
}

/** Removed, and no container of it left on these hosts. */
export async function removeService(hosts: readonly Host[], service: string): Promise<void> {
  const [via] = hosts as [Host];
  await via.exec(["docker", "service", "rm", service]);
  const list = ["docker", "ps", "-aq", "--filter", `label=${swarmLabel(service)}`];
  for (const host of hosts) {
    const gone = async () => (await host.exec(list)).trim() === "";
    await until(gone, 60_000, `the end of ${service} on ${host.name}`);
  }
}
