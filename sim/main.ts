/**
 * `npm run sim -- --seed S [--nodes N]` shows one run; `npm run sim -- --seeds K --from S` does K
 * runs from seed S on and says how many passed, with `--fail-fast` until the first that does not.
 * A seed that fails is printed: it fails again.
 */

import { parseArgs } from "node:util";
import { run } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    nodes: { type: "string" },
    "fail-fast": { type: "boolean", default: false },
  },
});

const nodes = values.nodes === undefined ? undefined : whole("nodes", values.nodes);

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`shoal: --${name} must be a whole number, not ${text}`);
  return process.exit(2);
}

function showOne(seed: number): boolean {
  const { breach } = run({ seed, nodes, print: (line) => console.log(line) });
  console.log(breach === undefined ? "passed" : `failed: ${breach}`);
  return breach === undefined;
}

function runMany(from: number, count: number): boolean {
  const startedMs = performance.now();
  let virtualMs = 0;
  let passed = 0;
  let failed = 0;
  for (let seed = from; seed < from + count; seed++) {
    if (failed > 0 && values["fail-fast"]) break;
    const result = run({ seed, nodes });
    virtualMs += result.virtualMs;
    if (result.breach === undefined) {
      passed++;
      continue;
    }
    failed++;
    const again = `npm run sim -- --seed ${seed}${nodes === undefined ? "" : ` --nodes ${nodes}`}`;
    console.log(`seed ${seed} (${result.nodes} nodes): ${result.breach}\n  ${again}`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const perSecond = ((passed + failed) / seconds).toFixed(1);
  const times = Math.round(virtualMs / 1000 / seconds);
  console.log(`${seconds.toFixed(1)} s, ${perSecond} seeds/s, ${times} times as fast as time`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0;
}

const passed =
  values.seeds === undefined
    ? showOne(whole("seed", values.seed ?? "1"))
    : runMany(whole("from", values.from), whole("seeds", values.seeds));
process.exitCode = passed ? 0 : 1;
