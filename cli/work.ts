/**
 * How a command is written: as a generator that asks the world for one thing at a time and is
 * handed the answer. Commands stay pure that way: no promise in them, and a test answers by hand.
 *
 *   const view = yield* ask((world) => world.mesh.view());
 *
 * cli/performer.ts is the door that answers for real.
 */

import type { World } from "./world.ts";

/** One question. The answer may take its time; the command does not notice. */
export type Question = (world: World) => unknown;

export type Work<Result> = Generator<Question, Result, unknown>;

export function* ask<Answer>(question: (world: World) => Answer): Work<Awaited<Answer>> {
  return (yield question) as Awaited<Answer>;
}

/** What a command ends with: the process's exit code, 0 when it says nothing. */
export type ExitCode = number | undefined;
