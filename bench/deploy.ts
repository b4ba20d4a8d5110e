/** From a spec's acceptance to its last replica serving, image present, beside Docker Swarm. */

import { compare, type Figures, type RunBench } from "./figures.ts";
import { timeDeploys } from "./runs.ts";
import { shoal } from "./shoal.ts";
import { swarm } from "./swarm.ts";

const runs = 20;

export const run: RunBench = async ({ say }): Promise<Figures> => {
  const swarmMs = await timeDeploys(swarm, runs, say);
  return compare(await timeDeploys(shoal, runs, say), swarmMs);
};
