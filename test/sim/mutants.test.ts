/**
 * The simulator is worth what it catches. `npm run sim:mutants` tries every planted bug; here are
 * a few that fast seeds find, and the proof that all of them are bugs of the code as it is.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { allBugs } from "../../sim/mutants/all-bugs.ts";
import { runMutant } from "../../sim/mutants/mutant-run.ts";
import { applyEdits, type Edit, roomOf } from "../../sim/mutants/planted-bug.ts";
import { readText } from "../tidy/source-tree.ts";

/** Found within a few seconds each. */
const fast = [
  "of two writes with one stamp, the one that came first wins",
  "an older task stops before its successor serves",
  "a replica that moved stops before it is served elsewhere",
  "a write is acknowledged before it is on disk",
  "an accusation is neither refuted nor withdrawn",
  "anti-entropy compares no registers",
];
/** Small meshes run fast, and these mistakes need no more. */
const quickCourse = [{ seeds: 60, nodes: 4 }];

for (const name of fast) {
  test(`it is found when ${name}`, async () => {
    const bug = allBugs.find((planted) => planted.name === name);
    assert.ok(bug, "no such bug is planted");
    const verdict = await runMutant(bug, quickCourse);
    assert.equal(verdict.kind, "caught", JSON.stringify(verdict));
  });
}

test("every planted bug is a bug of the code as it is", () => {
  for (const bug of allBugs) {
    const changed = applyEdits(bug, readText);
    for (const [file, text] of changed) assert.notEqual(text, readText(file), bug.name);
    assert.ok(changed.size > 0, bug.name);
  }
});

test("there are bugs enough, in every room that keeps the mesh whole, and no two of one name", () => {
  assert.ok(allBugs.length >= 25, `only ${allBugs.length}`);
  assert.equal(new Set(allBugs.map(({ name }) => name)).size, allBugs.length);
  const rooms = new Set(allBugs.map(roomOf));
  for (const room of ["crdt", "trust", "gossip", "placement", "node", "link"]) {
    assert.ok(rooms.has(room), `none in ${room}/`);
  }
});

test("a bug cannot be planted where its text is gone, or is there twice", () => {
  const cases: [edits: Edit[], fits: boolean][] = [
    [[["a.ts", "one", "1"]], true],
    [[["a.ts", "three", "3"]], false],
    [[["a.ts", "two", "2"]], false],
    [[["a.ts", "", "2"]], false],
    [[["a.ts", "one", "one"]], false],
    // Each edit sees what those before it left.
    [
      [
        ["a.ts", "one", "four"],
        ["a.ts", "four", "4"],
      ],
      true,
    ],
  ];
  for (const [edits, fits] of cases) {
    const plant = () => applyEdits({ name: "case", edits }, () => "one two two");
    if (fits) assert.equal(plant().size, 1);
    else assert.throws(plant, /"case" cannot be planted: a\.ts/);
  }
});

test("no bug is caught where there is none, and none where nothing runs", async () => {
  const harmless: Edit = ["sim/main.ts", "let virtualMs = 0;", "let virtualMs = 0 + 0;"];
  const sound = await runMutant({ name: "none", edits: [harmless] }, [{ seeds: 2, nodes: 3 }]);
  assert.deepEqual(sound, { kind: "not-caught", why: "all seeds passed" });
  const broken: Edit = ["crdt/stamp.ts", "return newer > 0 ? seen : last;", "return ("];
  const dead = await runMutant({ name: "dead", edits: [broken] }, quickCourse);
  assert.ok(dead.kind === "not-caught" && /did not run/.test(dead.why), JSON.stringify(dead));
});
