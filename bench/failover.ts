/** From a host's power cut to all replicas serving again, image present, beside Docker Swarm. */

import { compare, type Figures, type RunBench } from "./figures.ts";
import { timeFailovers } from "./runs.ts";
import { shoal } from "./shoal.ts";
import { swarm } from "./swarm.ts";

/** The worst of twenty holds a promise about p99. Swarm takes 25 s a run: its median will do. */
const runs = { shoal: 20, swarm: 5 };

export const run: RunBench = async ({ say }): Promise<Figures> => {
  const swarmMs = await timeFailovers(swarm, runs.swarm, say);
  return compare(await timeFailovers(shoal, runs.shoal, say), swarmMs);
};
