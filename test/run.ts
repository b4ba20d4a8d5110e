/**
 * Runs the tests: `npm test`, or `npm test -- test/crdt` for those whose path starts so.
 *
 * Two rounds, shown as one: everything that only computes or listens on this machine side by
 * side, then the test bed of hosts alone, because it measures seconds. Skipped tests are failures
 * where CI=true: a test that does not run proves nothing.
 */

import { run } from "node:test";
import { spec } from "node:test/reporters";
import { prepareMachine } from "./prepare.ts";
import { emptyTally, type Tally, watchRound } from "./round.ts";
import { listFiles, root } from "./tidy/source-tree.ts";

/** Of chaos on hosts, when more of it is asked for than a minute; healing takes as long again. */
const chaosMs = Number(process.env.SHOAL_CHAOS_MINUTES ?? 1) * 2 * 60_000;
/** A file that takes longer hangs. Beds of hosts count failovers by the dozen. */
const fileTimeoutMs = { house: 300_000, hosts: 1_200_000 + chaosMs };

const isCi = process.env.CI === "true";

async function main(wanted: readonly string[]): Promise<number> {
  const all = listFiles([".test.ts"], "test");
  const files = wanted.length === 0 ? all : all.filter((path) => matches(path, wanted));
  if (files.length === 0) {
    console.error(`no test matches ${wanted.join(" ")}`);
    return 2;
  }
  const missing = prepareMachine((line) => console.error(`shoal: ${line}`));
  for (const line of missing) console.error(`shoal: ${line}`);
  if (isCi && missing.length > 0) return 1;

  const startedMs = performance.now();
  const tally = emptyTally();
  const report = new spec();
  const printed = new Promise((resolve) => report.once("end", resolve));
  report.pipe(process.stdout, { end: false });
  const isHost = (path: string) => path.startsWith("test/hosts/");
  await round(
    files.filter((path) => !isHost(path)),
    2,
    fileTimeoutMs.house,
    report,
    tally,
  );
  await round(files.filter(isHost), 1, fileTimeoutMs.hosts, report, tally);
  report.end();
  await printed;
  printSummary(tally, performance.now() - startedMs);
  const skips = isCi ? tally.skipped + tally.todo : 0;
  if (skips > 0) console.log("Skipped tests are failures here (CI=true).");
  return tally.failed + tally.cancelled + skips === 0 ? 0 : 1;
}

/** Files run in processes of their own, two at a time: that is what a small machine has cores. */
async function round(
  files: readonly string[],
  concurrency: number,
  timeoutMs: number,
  report: NodeJS.WritableStream,
  tally: Tally,
): Promise<void> {
  if (files.length === 0) return;
  const events = run({
    files: files.map((path) => `${root}/${path}`),
    cwd: root,
    concurrency,
    timeout: timeoutMs,
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  for await (const event of events) {
    if (watchRound(event, tally)) report.write(event as never);
  }
}

/** In the words of Node's own runner, so that what reads those reads these. */
function printSummary(tally: Tally, elapsedMs: number): void {
  const lines = [
    `tests ${tally.tests}`,
    `suites ${tally.suites}`,
    `pass ${tally.passed}`,
    `fail ${tally.failed}`,
    `cancelled ${tally.cancelled}`,
    `skipped ${tally.skipped}`,
    `todo ${tally.todo}`,
    `duration_ms ${Math.round(elapsedMs)}`,
  ];
  console.log(lines.map((line) => `ℹ ${line}`).join("\n"));
}

function matches(path: string, wanted: readonly string[]): boolean {
  return wanted.some((start) => path.startsWith(start.replace(/^\.\//, "")));
}

process.exitCode = await main(process.argv.slice(2));
