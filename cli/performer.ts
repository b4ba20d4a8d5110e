/** Performs a command: asks the world each question and hands the answer back. A door. */

import type { Work } from "./work.ts";
import type { World } from "./world.ts";

/** A question that fails ends the command with that failure, unless the command catches it. */
export async function perform<Result>(work: Work<Result>, world: World): Promise<Result> {
  let step = work.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = await step.value(world);
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    step = work.next(answer);
  }
  return step.value;
}
