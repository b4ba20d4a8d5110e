/** The ledger sees what is lost, and calls nothing lost that two sides may rightly settle. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeshView, RevisionView } from "../../../model/view.ts";
import { type Entry, Ledger, markName } from "./ledger.ts";

const service = "book/a";

/** `w1@2 current`: the revision that carries the mark w1, of generation 2. */
function view(history: string, replicas: number): MeshView {
  const revisions = history.split(", ").map((text) => {
    const [, mark, generation, status] = /^(\w+)@(\d+) (\w+)$/.exec(text) as string[];
    const spec = { workload: { env: { [markName]: mark } } };
    return { generation: Number(generation), status, spec } as unknown as RevisionView;
  });
  return { services: [{ service, replicas, history: revisions }] } as unknown as MeshView;
}

/** `w1 at 2`: acknowledged at host 2; `w1? at 2`: nobody knows; `w1! at 2`: refused; `=3 at 2`: scaled to three. */
function entry(text: string): Entry {
  const [, mark, replicas, sign, host] = /^(\w+)?(?:=(\d+))?([?!])? at (\d)$/.exec(text) as [
    string,
    string?,
    string?,
    string?,
    string?,
  ];
  return {
    service,
    host: Number(host),
    outcome: sign === "?" ? "unknown" : sign === "!" ? "refused" : "acknowledged",
    ...(mark === undefined ? {} : { mark }),
    ...(replicas === undefined ? {} : { replicas: Number(replicas) }),
  };
}

// Before all of these, write w0 stood with two replicas on every node.
const cases: [
  name: string,
  entries: string,
  history: string,
  replicas: number,
  faults: string[],
][] = [
  ["nothing said, nothing changed", "", "w0@1 current", 2, []],
  ["a write that stands", "w1 at 1", "w1@2 current, w0@1 past", 2, []],
  [
    "a write that is gone",
    "w1 at 1",
    "w0@1 current",
    2,
    ["lost write w1, acknowledged at host1", "stands at write w0, not at w1"],
  ],
  ["a write over another", "w1 at 1, w2 at 1", "w2@3 current, w1@2 past", 2, []],
  [
    "an older write over a newer one of the same host",
    "w1 at 1, w2 at 1",
    "w1@2 current, w2@3 past",
    2,
    ["stands at write w1, not at w2", "stands at generation 2 and knows 3"],
  ],
  ["two sides, the loser kept", "w1 at 1, w2 at 2", "w1@2 current, w2@2 conflict", 2, []],
  [
    "two sides, the loser gone",
    "w1 at 1, w2 at 2",
    "w1@2 current, w0@1 past",
    2,
    ["lost write w2, acknowledged at host2"],
  ],
  ["a write nobody answered for, there", "w1? at 1", "w1@2 current, w0@1 past", 2, []],
  ["a write nobody answered for, not there", "w1? at 1", "w0@1 current", 2, []],
  ["a write refused, not there", "w1! at 1", "w0@1 current", 2, []],
  [
    "a write refused, yet there",
    "w1! at 1",
    "w1@2 current, w0@1 past",
    2,
    ["has write w1, refused at host1", "stands at write w1, not at w0"],
  ],
  ["a write that nobody said", "", "w9@2 current, w0@1 past", 2, ["stands at write w9, not at w0"]],
  ["a scale that stands", "=3 at 1", "w0@1 current", 3, []],
  ["a scale that is gone", "=3 at 1", "w0@1 current", 2, ["wants 2 replicas, not 3"]],
  ["scales on two sides", "=3 at 1, =1 at 2", "w0@1 current", 1, []],
  [
    "a scale overwritten at its host",
    "=3 at 1, =1 at 1",
    "w0@1 current",
    3,
    ["wants 3 replicas, not 1"],
  ],
];

for (const [name, entries, history, replicas, faults] of cases) {
  test(`the ledger and ${name}`, () => {
    const ledger = new Ledger();
    ledger.settle(view("w0@1 current", 2));
    for (const text of entries === "" ? [] : entries.split(", ")) ledger.add(entry(text));
    const found = ledger.compare("host1", view(history, replicas));
    assert.deepEqual(
      found,
      faults.map((fault) => `host1: ${service} ${fault}`),
    );
  });
}

test("the ledger and a service that a node does not know", () => {
  const ledger = new Ledger();
  const empty = { services: [] } as unknown as MeshView;
  ledger.add(entry("w1? at 1"));
  assert.deepEqual(ledger.compare("host1", empty), []);
  ledger.add(entry("w2 at 1"));
  assert.deepEqual(ledger.compare("host1", empty), [`host1: ${service} is gone`]);
  ledger.settle(view("w2@1 current", 2));
  assert.deepEqual(ledger.compare("host1", empty), [`host1: ${service} is gone`]);
});

test("what is settled is forgotten, so that an hour takes no more memory than a minute", () => {
  const ledger = new Ledger();
  ledger.add(entry("w1 at 1"));
  ledger.settle(view("w1@2 current", 2));
  assert.deepEqual(ledger.compare("host1", view("w1@2 current, w0@1 past", 2)), []);
  assert.deepEqual(ledger.counts, { acknowledged: 1, refused: 0, unknown: 0 });
});
