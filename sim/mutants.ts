/**
 * `npm run sim:mutants`: plants every bug of sim/mutants/ in a copy of the tree and looks for a
 * seed of the standard set that finds it. Exit code 1 unless all are caught. Words after the
 * command choose bugs whose name or room has one of them; `--json` ends with {planted, caught}.
 */

import { parseArgs } from "node:util";
import { allBugs } from "./mutants/all-bugs.ts";
import { runMutant, type Verdict } from "./mutants/mutant-run.ts";
import { type PlantedBug, roomOf } from "./mutants/planted-bug.ts";

/** Mutants at once: each keeps one core busy, and two are what small machines have. */
const atOnce = 2;

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false } },
  allowPositionals: true,
});

const bugs = allBugs.filter((bug) => {
  const words = `${roomOf(bug)} ${bug.name}`;
  return positionals.length === 0 || positionals.some((word) => words.includes(word));
});

let caught = 0;

/** As an entry of the table: whether it was caught, its name, its files, and what found it. */
function tell(bug: PlantedBug, verdict: Verdict): void {
  if (verdict.kind === "caught") caught++;
  const files = [...new Set(bug.edits.map(([file]) => file))].join(", ");
  console.log(`${verdict.kind === "caught" ? "caught    " : "NOT CAUGHT"}  ${bug.name}`);
  console.log(`            ${files}`);
  console.log(`            ${explain(verdict)}`);
}

function explain(verdict: Verdict): string {
  if (verdict.kind === "not-caught") return verdict.why;
  const { seed, nodes, breach } = verdict;
  return `by seed ${seed} of ${nodes} nodes: ${breach}`;
}

/** Takes one after the other from the list that all share. */
async function work(queue: PlantedBug[]): Promise<void> {
  for (let bug = queue.shift(); bug !== undefined; bug = queue.shift()) {
    tell(bug, await runMutant(bug));
  }
}

const queue = [...bugs];
await Promise.all(Array.from({ length: atOnce }, () => work(queue)));
console.log(`${caught} of ${bugs.length} caught`);
if (values.json) console.log(JSON.stringify({ planted: bugs.length, caught }));
process.exitCode = caught === bugs.length && bugs.length > 0 ? 0 : 1;
