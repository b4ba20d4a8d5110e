/**
 * The agent as a process. `shoal up` and `shoal join` start it; it runs until it is told to stop,
 * leaves its mesh, or is removed from it. Exit code 0, or 1 when there was a problem. A door.
 */

import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { explain, OperationError, type Problem } from "../model/problem.ts";
import { type Daemon, openDaemon } from "./daemon.ts";
import { openLog } from "./log.ts";
import { parseSettings } from "./settings.ts";

const log = openLog();

/** What cannot be undone: the state on disk is whole, so the next start begins from there. */
function fail(error: unknown): never {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.error("bug", { detail });
  process.exit(1);
}

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

/** To the command that started this agent and tells its person, or to whoever reads here. */
async function report(problems: readonly Problem[]): Promise<void> {
  if (process.connected) {
    await new Promise((resolve) => process.send?.({ problems }, resolve));
  } else {
    for (const problem of problems) process.stderr.write(`${explain(problem)}\n`);
  }
}

function readVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

async function main(): Promise<number> {
  const settings = parseSettings(process.argv.slice(2));
  if (!("data" in settings)) {
    await report(settings);
    return 2;
  }
  const readToken = () => text(process.stdin);
  let daemon: Daemon;
  try {
    daemon = await openDaemon({ settings, version: readVersion(), log, readToken });
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    await report(error.problems);
    return 1;
  }
  const problem = await Promise.race([daemon.ended, untilSignal()]);
  await daemon.close();
  log.info("stopped", problem === undefined ? {} : { problem: explain(problem) });
  return problem === undefined ? 0 : 1;
}

function untilSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.once(signal, () => resolve(undefined));
    }
  });
}

// What still holds the process open (a stream that is being torn down) is of no more interest.
process.exit(await main());
