/** Bugs in what a node makes of others: what serves elsewhere, majorities, routes, writes. */

import type { PlantedBug } from "./planted-bug.ts";

export const nodeBugs: readonly PlantedBug[] = [
  {
    name: "half of the members are a majority",
    edits: [["node/desired.ts", "alive * 2 > members.length", "alive * 2 >= members.length"]],
  },
  {
    name: "a lesser side places what wants a majority",
    edits: [
      [
        "node/desired.ts",
        'aim.spec.isolation !== "majority" || majority',
        "majority || services !== undefined",
      ],
    ],
  },
  {
    name: "traffic goes on to members that do not answer",
    edits: [
      [
        "node/routing.ts",
        'member === undefined || member.status !== "alive"',
        "member === undefined",
      ],
    ],
  },
  {
    name: "a write is acknowledged before it is on disk",
    edits: [
      [
        "node/operator-writes.ts",
        'return [{ kind: "store", writes: prepared.rows, request }];',
        'return [...refuse([]), { kind: "store", writes: prepared.rows, request }];',
      ],
    ],
  },
  {
    name: "a write that the disk refused is acknowledged",
    edits: [
      [
        "node/operator-writes.ts",
        'return [{ kind: "answer", request, problems }];\n  }\n\n  #merge',
        'return [{ kind: "answer", request, problems: [] }];\n  }\n\n  #merge',
      ],
    ],
  },
];
