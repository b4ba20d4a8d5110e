/** Every planted bug there is. */

import { gossipBugs } from "./gossip-bugs.ts";
import { nodeBugs } from "./node-bugs.ts";
import { placementBugs } from "./placement-bugs.ts";
import type { PlantedBug } from "./planted-bug.ts";
import { stateBugs } from "./state-bugs.ts";
import { taskBugs } from "./task-bugs.ts";

export const allBugs: readonly PlantedBug[] = [
  ...stateBugs,
  ...gossipBugs,
  ...placementBugs,
  ...taskBugs,
  ...nodeBugs,
];
