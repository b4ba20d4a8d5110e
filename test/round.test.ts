/** What the runner reports is counted rightly: CI believes these numbers. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, test } from "node:test";
import { emptyTally, type Tally, watchRound } from "./round.ts";

const cases: [name: string, source: string, expected: Partial<Tally>][] = [
  ["a test that passes", 'test("a", () => {});', { tests: 1, passed: 1 }],
  ["a test that fails", 'test("a", () => { throw 1; });', { tests: 1, failed: 1 }],
  ["a file that cannot be loaded", 'import "./absent.ts";', { tests: 1, failed: 1 }],
  ["a test left out", 'test("a", { skip: true }, () => {});', { tests: 1, skipped: 1 }],
  ["a suite left out", 'describe("a", { skip: true }, () => {});', { suites: 1, skipped: 1 }],
  ["a test still to be written", 'test("a", { todo: true }, () => {});', { tests: 1, todo: 1 }],
];

for (const [name, source, expected] of cases) {
  test(`${name} is counted as such`, async () => {
    const place = await mkdtemp(join(tmpdir(), "shoal-round-"));
    const file = join(place, "case.test.mjs");
    await writeFile(file, `import { describe, test } from "node:test";\n${source}\n`);
    const tally = emptyTally();
    // A test that runs tests: the inner runner must not take itself for a part of the outer one.
    delete process.env.NODE_TEST_CONTEXT;
    for await (const event of run({ files: [file] })) watchRound(event, tally);
    await rm(place, { recursive: true });
    assert.deepEqual(tally, { ...emptyTally(), ...expected });
  });
}
