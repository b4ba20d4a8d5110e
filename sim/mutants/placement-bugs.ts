/** Bugs in who runs what. */

import type { PlantedBug } from "./planted-bug.ts";

export const placementBugs: readonly PlantedBug[] = [
  {
    name: "nodes of one rank are taken in the order in which they came",
    edits: [
      [
        "placement/rendezvous.ts",
        "^ candidate.low) >>> 0;\n}\n\n/** Decides",
        "^ candidate.low) >>> 31;\n}\n\n/** Decides",
      ],
      [
        "placement/rendezvous.ts",
        "return second || compareIds(left.id, right.id);",
        "return second * 0;",
      ],
    ],
  },
  {
    name: "replicas are placed on nodes that are down",
    edits: [
      [
        "placement/filters.ts",
        "if (!node.alive && !(claim.incumbent && claim.stays)) return",
        'if (node.node === "") return',
      ],
    ],
  },
  {
    name: "a drained node keeps what it runs",
    edits: [
      [
        "placement/filters.ts",
        'if (node.availability === "drain") return',
        'if (node.availability === "drain" && !claim.incumbent) return',
      ],
    ],
  },
  {
    name: "a paused node gets new replicas",
    edits: [
      [
        "placement/filters.ts",
        'node.availability === "pause" && !claim.incumbent',
        'node.node === ""',
      ],
    ],
  },
  {
    name: "a node that refused a replica is given it again",
    edits: [
      [
        "placement/placed-service.ts",
        "return this.#refusals.size > 0 &&",
        "return this.#refusals.size > 1e9 &&",
      ],
    ],
  },
  {
    name: "incumbents stay on nodes that may not have them any more",
    edits: [
      ["placement/placer.ts", "if (service.dismisses(replica, site) !== undefined) continue;", ""],
    ],
  },
];
