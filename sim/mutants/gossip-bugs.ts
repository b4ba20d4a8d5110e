/** Bugs in who is thought alive: probes, accusations, refutations, and what follows from them. */

import type { PlantedBug } from "./planted-bug.ts";

export const gossipBugs: readonly PlantedBug[] = [
  {
    name: "an accusation is neither refuted nor withdrawn",
    edits: [
      ["gossip/membership.ts", "if (standing.length > 0)", "if (standing.length > 1e9)"],
      [
        "gossip/evidence.ts",
        'known.state !== "gone" || nowMs',
        'known.accused === undefined && known.state !== "gone" || nowMs',
      ],
    ],
  },
  {
    name: "a refutation repeats the incarnation that stands accused",
    edits: [["gossip/membership.ts", "Math.max(...standing) + 1", "Math.max(...standing)"]],
  },
  {
    name: "nobody is ever taken for down",
    edits: [["gossip/membership.ts", "isDown || nowMs >= dueMs", "isDown"]],
  },
  {
    name: "answered probes take back no miss",
    edits: [
      ["link/probe-watch.ts", "this.#rounds.splice(0, at + 1);", "this.#rounds.splice(at, 1);"],
    ],
  },
];
