/** Bugs in what a node does about its own tasks: starting, draining, replacing, trying again. */

import type { PlantedBug } from "./planted-bug.ts";

export const taskBugs: readonly PlantedBug[] = [
  {
    name: "an older task stops before its successor serves",
    edits: [
      [
        "node/reconcile.ts",
        "const serving = keeper?.readySinceMs !== undefined;",
        "const serving = true;",
      ],
      ["node/reconcile.ts", "nowMs - (keeper?.readySinceMs ?? nowMs) >= config.settleMs", "true"],
    ],
  },
  {
    name: "a replica that moved stops before it is served elsewhere",
    edits: [
      ["node/reconcile.ts", "frozen || elsewhere.readySinceMs === undefined", "false"],
      ["node/reconcile.ts", "nowMs - elsewhere.readySinceMs < config.settleMs", "false"],
    ],
  },
  {
    name: "a task that is being made is started once more",
    edits: [
      [
        "node/reconcile.ts",
        "({ facts }) => facts.revision === assignment.revision);",
        '({ facts }) => facts.revision === assignment.revision && facts.state === "running");',
      ],
    ],
  },
  {
    name: "every replica may be replaced at once",
    edits: [
      ["node/reconcile.ts", "if (older.length > 0 && !assignment.mayReplace) return [];", ""],
    ],
  },
  {
    name: "a failed replica is tried again at once",
    edits: [
      [
        "node/failures.ts",
        "return failure.lastMs + backoff(failure.count, delayMs, this.#config);",
        "return failure.lastMs + 0 * backoff(failure.count, delayMs, this.#config);",
      ],
    ],
  },
  {
    name: "a task is stopped as soon as it drains",
    edits: [
      [
        "node/reconcile.ts",
        "nowMs - (task.drainingSinceMs ?? nowMs) >= config.drainMs",
        "nowMs >= 0 * config.drainMs",
      ],
    ],
  },
  {
    name: "a removed service's tasks run on",
    edits: [
      ["node/reconcile.ts", 'return stop(id, "its service was removed");', "return undefined;"],
    ],
  },
];
