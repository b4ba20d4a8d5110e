/**
 * What is timed, the same for both sides: deploying, and healing after the loss of a host. A side
 * says how it is set up and asked; the watchers on the hosts say when containers serve.
 */

import { Bed } from "../test/hosts/bed.ts";
import type { Host } from "../test/hosts/host.ts";
import { Watchers } from "./watchers.ts";

/** Swarm or Shoal, on the bed. */
export type Side = {
  readonly name: string;
  /** Makes one cluster of all hosts of the bed. */
  form(bed: Bed): Promise<void>;
  /** Asks for replicas of hello:1. Returns the Unix ms at which the request was accepted. */
  deploy(via: Host, replicas: number): Promise<number>;
  /** Removed, and no container left on these hosts. */
  remove(hosts: readonly Host[]): Promise<void>;
  /** Whose power is cut in this run. */
  victim(hosts: readonly Host[], run: number): Promise<Host>;
  /** After the victim has booted again: all hosts are members as before. */
  recover(hosts: readonly Host[], victim: Host): Promise<void>;
  /** The Docker label of the service's containers, "name" or "name=value". */
  readonly label: string;
};

const hostCount = 3;
const replicas = 6;
/** Swarm needs up to 60 s when its leader is lost; beyond this a run has failed. */
const servingMsMax = 90_000;

/** A fresh bed and cluster for these runs, gone afterwards. */
async function onBed(
  side: Side,
  runs: number,
  time: (bed: Bed, run: number) => Promise<number>,
  say: (line: string) => void,
): Promise<number[]> {
  const bed = new Bed();
  const times: number[] = [];
  await bed.up(hostCount);
  try {
    await side.form(bed);
    for (let run = 0; run < runs; run++) {
      const ms = await time(bed, run);
      say(`${side.name} ${run + 1}/${runs}: ${ms} ms`);
      times.push(ms);
    }
  } finally {
    await bed.down();
  }
  return times;
}

/** From the request's acceptance to the last replica's first answer, ms, once per run. */
export function timeDeploys(
  side: Side,
  runs: number,
  say: (line: string) => void,
): Promise<number[]> {
  const deploy = async (bed: Bed, run: number): Promise<number> => {
    const { hosts } = bed;
    const watchers = await Watchers.open(bed, hosts, side.label);
    const acceptedAtMs = await side.deploy(hosts[run % hosts.length] as Host, replicas);
    const servingAtMs = await watchers.untilServing(replicas, hosts, servingMsMax);
    watchers.close();
    await side.remove(hosts);
    return servingAtMs - acceptedAtMs;
  };
  return onBed(side, runs, deploy, say);
}

/** From pulling a host's plug to the last replacement's first answer, ms, once per run. */
export function timeFailovers(
  side: Side,
  runs: number,
  say: (line: string) => void,
): Promise<number[]> {
  const failOver = async (bed: Bed, run: number): Promise<number> => {
    const { hosts } = bed;
    const victim = await side.victim(hosts, run);
    const survivors = hosts.filter(({ number }) => number !== victim.number);
    const watchers = await Watchers.open(bed, hosts, side.label);
    await side.deploy(survivors[0] as Host, replicas);
    await watchers.untilServing(replicas, hosts, servingMsMax);
    const cutAtMs = Date.now();
    await victim.cutPower();
    const healedAtMs = await watchers.untilServing(replicas, survivors, servingMsMax);
    watchers.close();
    await side.recover(hosts, await bed.reboot(victim.number));
    await side.remove(hosts);
    return healedAtMs - cutAtMs;
  };
  return onBed(side, runs, failOver, say);
}
