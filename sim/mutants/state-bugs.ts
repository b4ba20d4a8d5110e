/** Bugs in replicated state: what was said, who may say it, and whether everyone hears of it. */

import type { PlantedBug } from "./planted-bug.ts";

export const stateBugs: readonly PlantedBug[] = [
  {
    name: "of two writes with one stamp, the one that came first wins",
    edits: [
      ["crdt/stamp.ts", "compareText(left.writer, right.writer)", "0"],
      ["crdt/register.ts", "|| (left.id < right.id ? -1 : 1)", ""],
    ],
  },
  {
    name: "revisions are kept in the order in which they came",
    edits: [["crdt/register.ts", ".sort(bestFirst)", ""]],
  },
  {
    name: "a removal yields to the revision that it removed",
    edits: [
      [
        "gossip/replica.ts",
        "revisions.find(({ stamp }) => mayWrite(",
        "revisions.find(({ stamp, value }) => value !== undefined && mayWrite(",
      ],
    ],
  },
  {
    name: "a document is changed by a delta of another version, and nobody recomputes its root",
    edits: [
      ["crdt/node-document.ts", "delta.base !== null && !fits(current, delta.base)", "false"],
      ["crdt/node-document.ts", "!equalBytes(rootOf(rows), head.root)", "false"],
    ],
  },
  {
    name: "a new revision names no parents",
    edits: [["crdt/register.ts", "if (register === undefined) return [];", "return [];"]],
  },
  {
    name: "a removed node stays a member",
    edits: [["trust/meaning.ts", "this.#nodes.delete(subject as NodeId);", ""]],
  },
  {
    name: "the document of a removed node stays",
    edits: [["gossip/replica.ts", "if (nodes.has(node as NodeId)) continue;", "continue;"]],
  },
  {
    name: "who never was granted a role by the founder may not write",
    edits: [
      [
        "trust/ever-writers.ts",
        'if (role === "operator" || role === "admin") writers.add(subject);',
        'if (role === "admin") writers.add(subject);',
      ],
    ],
  },
  {
    name: "anti-entropy compares no registers",
    edits: [
      [
        "gossip/exchange.ts",
        "registers.differing(buckets)",
        "registers.differing(buckets.slice(0, 0)).slice(0, 0)",
      ],
    ],
  },
  {
    name: "anti-entropy sends no documents",
    edits: [
      [
        "gossip/exchange.ts",
        "pushOf(newer.flatMap((node) => wholeDocument(replica, node)))",
        "pushOf([])",
      ],
      [
        "gossip/exchange.ts",
        "wanted.flatMap((node) => wholeDocument(replica, node))",
        "wanted.flatMap((): NodeDelta[] => [])",
      ],
    ],
  },
  {
    name: "stamps from the future are merged",
    edits: [
      [
        "gossip/clock-guard.ts",
        "if (aheadMs <= aheadMaxMs) return false;",
        "if (aheadMs <= 1e9) return false;",
      ],
    ],
  },
  {
    name: "a tombstone goes before everyone has it",
    edits: [
      [
        "gossip/retirement.ts",
        "wallMs - best.stamp.timeMs < tombstoneKeptMs",
        "wallMs - best.stamp.timeMs < 1_000",
      ],
      [
        "gossip/retirement.ts",
        "members.some((member) => !this.#hadIt(member, key, wallMs))",
        "members.length > 1e9",
      ],
      [
        "gossip/retirement.ts",
        "wallMs - this.#lookedAtMs < lookEveryMs",
        "wallMs - this.#lookedAtMs < 100",
      ],
    ],
  },
  {
    name: "an agent that starts goes on counting where its disk says",
    edits: [
      [
        "gossip/own-document.ts",
        "Math.max(Math.floor(wallMs / 1000), (head?.epoch ?? 0) + 1)",
        "Math.max(1, head?.epoch ?? 0)",
      ],
      [
        "node/agent.ts",
        "const writes = this.store.takeWrites(withOthers);",
        "const writes = withOthers ? this.store.takeWrites(withOthers) : [];",
      ],
    ],
  },
];
