/** Memory and idle CPU of an agent, on the test bed, each agent with an engine of its own. */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Bed } from "../test/hosts/bed.ts";
import { BedMesh } from "../test/hosts/mesh.ts";
import { type Figures, type RunBench, rounded } from "./figures.ts";

export const summary =
  "agents of an idle mesh of 3, then 10: RSS of the largest, CPU of the busiest";

const sizes = [3, 10] as const;
/** In its first minute an agent still compiles, and compares its state often. */
const settleMs = 60_000;
const measureMs = 60_000;
/** Linux counts a process's CPU in hundredths of a second on every machine we know. */
const ticksPerSecond = 100;

/** The last size is the answer; the smaller one is said on the way. */
export const run: RunBench = async ({ say }) => {
  let figures: Figures = {};
  for (const nodes of sizes) {
    figures = await measure(nodes);
    say(`${nodes} nodes: ${figures.rssMB} MB, ${figures.idleCpuPercent} % of a core`);
  }
  return figures;
};

async function measure(nodes: number): Promise<Figures> {
  const bed = new Bed();
  await bed.up(nodes);
  try {
    const mesh = await BedMesh.form(bed);
    await sleep(settleMs);
    const pids = bed.hosts.flatMap((host) => mesh.agentPids(host));
    const before = pids.map(cpuTicks);
    await sleep(measureMs);
    const ticks = pids.map((pid, index) => cpuTicks(pid) - (before[index] as number));
    const rssKiB = Math.max(...pids.map(residentKiB));
    const cpu = Math.max(...ticks) / ticksPerSecond / (measureMs / 1000);
    return { rssMB: rounded((rssKiB * 1024) / 1e6), idleCpuPercent: rounded(cpu * 100, 2), nodes };
  } finally {
    await bed.down();
  }
}

/** User and system time: fields 14 and 15 of proc(5)'s stat, counted after the name's bracket. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function residentKiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]);
}
