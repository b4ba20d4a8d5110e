/**
 * `npm run bench -- NAME [--json]`: one benchmark. Progress goes to standard error; the result is
 * a table, or with --json one line with one object.
 */

import type { Figures, RunBench } from "./figures.ts";

/** Each is bench/NAME.ts and exports `run`. All but churn and placement need root: hosts. */
const benches: Readonly<Record<string, string>> = {
  churn: "three agents under 30 minutes of change: memory when settled, and at the end",
  deploy: "six replicas on three hosts: spec accepted → all serving; Docker Swarm likewise",
  failover: "three hosts, six replicas: power cut → all six serve; Docker Swarm likewise",
  footprint: "idle meshes of 3 and of 10: memory of the largest agent, CPU of the busiest",
  placement: "10,000 services on 1,000 nodes: in full, and after one join",
  propagation: "ten nodes: a write accepted at one → known at all",
};

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const [name] = args.filter((arg) => !arg.startsWith("-"));
  if (name === undefined || benches[name] === undefined) {
    for (const [known, summary] of Object.entries(benches)) {
      console.log(`  ${known.padEnd(12)} ${summary}`);
    }
    return name === undefined ? 0 : 2;
  }
  const { run }: { run: RunBench } = await import(`./${name}.ts`);
  const figures = await run({ json, say: (line) => console.error(line) });
  console.log(json ? JSON.stringify(figures) : table(figures));
  return 0;
}

function table(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name.padEnd(16)} ${value}`)
    .join("\n");
}

process.exitCode = await main(process.argv.slice(2));
