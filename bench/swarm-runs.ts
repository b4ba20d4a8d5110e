/** Swarm's times for what Shoal promises: deploying, and healing after the loss of a host. */

import type { Bed } from "../test/hosts/bed.ts";
import type { Host } from "../test/hosts/host.ts";
import {
  createService,
  formSwarm,
  leaderOf,
  removeService,
  swarmLabel,
  untilAllReady,
} from "./swarm.ts";
import { Watchers } from "./watchers.ts";

/** Swarm finds a dead node after 15 s here; 60 s is a run that failed. */
const healedMsMax = 60_000;
const service = "hello";

/** From the request to the last replica's first answer, ms, once per run. */
export async function swarmDeploys(bed: Bed, runs: number, replicas: number): Promise<number[]> {
  const hosts = bed.hosts;
  await formSwarm(hosts);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const watchers = await Watchers.open(bed, hosts, swarmLabel(service));
    const sentAtMs = await createService(hosts[run % hosts.length] as Host, service, replicas);
    times.push((await watchers.untilServing(replicas, hosts, healedMsMax)) - sentAtMs);
    watchers.close();
    await removeService(hosts, service);
  }
  return times;
}

/**
 * From pulling a host's plug to the last replacement's first answer, ms, once per run. A follower
 * loses its power each time: losing the leader costs Swarm some 50 s in place of 19 s, and a
 * comparison takes the other side's better case.
 */
export async function swarmFailovers(bed: Bed, runs: number, replicas: number): Promise<number[]> {
  await formSwarm(bed.hosts);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) times.push(await failOver(bed, run, replicas));
  return times;
}

async function failOver(bed: Bed, run: number, replicas: number): Promise<number> {
  const hosts = bed.hosts;
  const leader = await leaderOf(hosts);
  const followers = hosts.filter(({ number }) => number !== leader.number);
  const victim = followers[run % followers.length] as Host;
  const survivors = hosts.filter(({ number }) => number !== victim.number);
  const watchers = await Watchers.open(bed, hosts, swarmLabel(service));
  await createService(survivors[0] as Host, service, replicas);
  await watchers.untilServing(replicas, hosts, healedMsMax);
  const cutAtMs = Date.now();
  await victim.cutPower();
  const healedAtMs = await watchers.untilServing(replicas, survivors, healedMsMax);
  watchers.close();
  await bed.reboot(victim.number);
  await untilAllReady(survivors[0] as Host, hosts.length);
  await removeService([...survivors, bed.host(victim.number)], service);
  return healedAtMs - cutAtMs;
}
