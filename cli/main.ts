/**
 * The `shoal` command. Reads the command line, performs one command in the world as it is, and
 * ends with 0 when it worked, 1 when there was a problem, 2 when the command line was wrong.
 */

import { readFileSync } from "node:fs";
import { CommanderError, type Command as Verb } from "commander";
import { explain, OperationError } from "../model/problem.ts";
import type { Command, Input } from "./command.ts";
import { type LiveWorld, openWorld } from "./live-world.ts";
import { isSlip } from "./options.ts";
import { perform } from "./performer.ts";
import { makeProgram, type Target } from "./program.ts";

const version = readVersion();

/** What commander found on the line; performed after it has returned. */
let chosen: { command: Command; input: Input; target: Target } | undefined;

const program = makeProgram((command, input, target) => {
  chosen = { command, input, target };
}).version(version, "-v, --version", "print the version of this command");
overrideExit(program);

try {
  program.parse();
  process.exitCode = chosen === undefined ? 0 : await run(chosen);
} catch (error) {
  // Commander has said what is wrong; help that was asked for is no mistake.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

async function run({ command, input, target }: NonNullable<typeof chosen>): Promise<number> {
  let world: LiveWorld | undefined;
  try {
    world = openWorld(target, version);
    return (await perform(command.run(input), world)) ?? 0;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { problems } = error;
    // Two documents of one deploy may be refused for one reason.
    for (const line of new Set(problems.map(explain))) world?.terminal.note(line);
    // People read the sentences, programs what they were made of.
    if (input.options.text("format") === "json")
      world?.terminal.print(JSON.stringify({ problems }));
    return isSlip(problems) ? 2 : 1;
  } finally {
    await world?.close();
  }
}

function overrideExit(verb: Verb): void {
  verb.exitOverride();
  for (const child of verb.commands) overrideExit(child);
}

function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
