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
    name: "accusations of former incarnations stand for ever",
    edits: [["gossip/accusations.ts", "accused >= incarnation && accused", "accused"]],
  },
  {
    name: "nobody is ever taken for down",
    edits: [["gossip/membership.ts", "isDown || nowMs >= dueMs", "isDown"]],
  },
  {
    name: "an accuser among many is as good as a majority",
    edits: [["gossip/suspicion.ts", "if (accusers >= majority)", "if (accusers >= 1)"]],
  },
  {
    name: "the word of those who are down counts",
    edits: [
      [
        "gossip/membership.ts",
        "if (this.#isDown(node)) return false;\n    const unheardAtMs",
        "const unheardAtMs",
      ],
    ],
  },
  {
    name: "what an agent accused others of before it was started is forgotten",
    edits: [
      [
        "gossip/evidence.ts",
        "if (known !== undefined) known.accused = incarnation;",
        "if (known !== undefined && incarnation < 0) known.accused = incarnation;",
      ],
    ],
  },
  {
    name: "a node that starts accuses whom it has not met yet",
    edits: [
      [
        "gossip/evidence.ts",
        "known.everReachable ? known.sinceMs : known.sinceMs + graceMs",
        "known.sinceMs",
      ],
    ],
  },
  {
    name: "nothing is frozen, however many go down at once",
    edits: [["gossip/freeze.ts", "lately.length >= 2 &&", "lately.length >= 1e9 &&"]],
  },
  {
    name: "only one's own probes make a node down",
    edits: [
      ["gossip/membership.ts", "const isAlone = electors.length === 0 &&", "const isAlone ="],
    ],
  },
  {
    name: "whoever stood still takes others for silent",
    edits: [
      [
        "link/probe-schedule.ts",
        "for (const watch of this.#watches.values()) watch.forgive(nowMs);",
        "",
      ],
    ],
  },
  {
    name: "one missed probe makes a node unreachable",
    edits: [["link/probe-watch.ts", "missesMax: 3,", "missesMax: 1,"]],
  },
  {
    name: "answered probes take back no miss",
    edits: [
      ["link/probe-watch.ts", "this.#rounds.splice(0, at + 1);", "this.#rounds.splice(at, 1);"],
    ],
  },
  {
    name: "probes stop for a member that missed too many",
    edits: [
      [
        "link/probe-watch.ts",
        "if (nowMs < this.#roundDueMs - this.#slackMs()) return [];",
        "if (nowMs < this.#roundDueMs - this.#slackMs() || this.#misses() >= 3) return [];",
      ],
    ],
  },
];
