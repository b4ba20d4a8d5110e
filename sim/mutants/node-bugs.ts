/** Bugs in what a node makes of others: what serves elsewhere, majorities, routes, writes. */

import type { PlantedBug } from "./planted-bug.ts";

export const nodeBugs: readonly PlantedBug[] = [
  {
    name: "what is missing before the state is complete counts as removed",
    edits: [
      [
        "node/elsewhere.ts",
        '{ kind: desired.complete ? "removed" : "unplaced" }',
        '{ kind: "removed" }',
      ],
    ],
  },
  {
    name: "rows off a node's own disk prove that a replica serves elsewhere",
    edits: [["node/elsewhere.ts", " && (heard || desired.complete)", " && (heard || true)"]],
  },
  {
    name: "a node takes over what peers have not spoken of yet",
    edits: [
      [
        "node/worklist.ts",
        "desired.complete || desired.members.every(hasSpoken)",
        "desired.members.some(hasSpoken)",
      ],
    ],
  },
  {
    name: "a task that is ready anywhere is taken for a replica in its place",
    edits: [["node/elsewhere.ts", "!isPlaced || ", ""]],
  },
  {
    name: "half of the members are a majority",
    edits: [["node/desired.ts", "alive * 2 > members.length", "alive * 2 >= members.length"]],
  },
  {
    name: "the lesser side goes on running what wants a majority",
    edits: [
      [
        "node/elsewhere.ts",
        'service.rollout.spec.isolation === "majority" && ',
        'service.rollout.spec.isolation === "stay" && ',
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
    name: "tasks that drain are out of the routes of others at once",
    edits: [
      [
        "node/routing.ts",
        'task.state === "running" || task.state === "draining"',
        'task.state === "running"',
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
  {
    name: "a full disk's writes are not tried again",
    edits: [
      [
        "node/operator-writes.ts",
        "return this.#problem === undefined ? [] : [{ kind:",
        "return this.#problem === undefined || this.#mesh !== undefined ? [] : [{ kind:",
      ],
    ],
  },
  {
    name: "nobody compares state unless a link comes up",
    edits: [
      [
        "node/agent.ts",
        '...targets.map((to): Effect => ({ kind: "send", to, frame })),',
        '...targets.slice(9).map((to): Effect => ({ kind: "send", to, frame })),',
      ],
    ],
  },
];
