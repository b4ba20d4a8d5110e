import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseEnvFile } from "../../../cli/compose/env-file.ts";
import { interpolate } from "../../../cli/compose/interpolation.ts";

const env = { A: "a", EMPTY: "", PORT: "80" };

// Text, result, mistakes as kind:variable.
const cases: [text: string, result: string, mistakes: string][] = [
  ["plain", "plain", ""],
  ["$A", "a", ""],
  ["${A}", "a", ""],
  ["x$A-y", "xa-y", ""],
  ["$$A $${A}", "$A ${A}", ""],
  ["cost: $$5", "cost: $5", ""],
  ["$NONE.", ".", "blank:NONE"],
  ["${NONE:-d}", "d", ""],
  ["${NONE-d}", "d", ""],
  ["${EMPTY:-d}", "d", ""],
  ["${EMPTY-d}", "", ""],
  ["${NONE:-}", "", ""],
  ["${A:+other}", "other", ""],
  ["${EMPTY:+other}", "", ""],
  ["${EMPTY+other}", "other", ""],
  ["${NONE+other}", "", ""],
  ["${NONE:-${ALSO:-deep}}", "deep", ""],
  ["${NONE:-${A}${PORT}}", "a80", ""],
  ["${NONE:-{{.Name}}}", "{{.Name}}", ""],
  ["${PORT-:2283:2283}", "80", ""],
  ["${NONE-:2283:2283}", ":2283:2283", ""],
  ["${NONE:?give it}", "", "required:NONE"],
  ["${NONE?}", "", "required:NONE"],
  ["${EMPTY?x}", "", ""],
  ["${EMPTY:?x}", "", "required:EMPTY"],
  ["${A", "", "malformed:"],
  ["$1", "$1", "malformed:"],
  ["${}", "", "malformed:"],
  ["${A B}", "", "malformed:"],
  ["tail$", "tail$", "malformed:"],
];

for (const [text, result, mistakes] of cases) {
  test(`interpolation of ${text} gives ${JSON.stringify(result)} ${mistakes}`, () => {
    const found = interpolate(text, env);
    const shown = found.mistakes.map((mistake) => {
      return `${mistake.kind}:${"variable" in mistake ? mistake.variable : ""}`;
    });
    assert.deepEqual([found.text, shown.join(" ")], [result, mistakes]);
  });
}

test("a required variable's message may hold variables itself", () => {
  const [mistake] = interpolate("${NONE:?see ${A}}", env).mistakes;
  assert.deepEqual(mistake, { kind: "required", variable: "NONE", detail: "see a" });
});

test("names of the prototype are not variables", () => {
  assert.equal(interpolate("${constructor:-none}", {}).text, "none");
});

test("interpolation is total, and leaves text without dollars alone", () => {
  const piece = fc.constantFrom("$", "{", "}", ":", "-", "?", "+", "A", "x", " ", "$$");
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, (some) => {
      const { text: result } = interpolate(some, env);
      if (!some.includes("$")) assert.equal(result, some);
    }),
    { numRuns: 1000 },
  );
});

test("nesting a thousand deep is a mistake, not a stack overflow", () => {
  const { mistakes } = interpolate("${N:-".repeat(1000) + "}".repeat(1000), {});
  assert.ok(mistakes.length > 0);
});

const envFiles: [text: string, values: Record<string, string>][] = [
  ["A=1\nB=2", { A: "1", B: "2" }],
  ["# comment\n\n  A = 1 # why\n", { A: "1" }],
  ["export A=1\r\nB=x#y", { A: "1", B: "x#y" }],
  ["A='$B # raw'", { A: "$B # raw" }],
  ['A="one\\ntwo"', { A: "one\ntwo" }],
  ['A="one\ntwo"\nB=3', { A: "one\ntwo", B: "3" }],
  ["A=1\nB=${A}2", { A: "1", B: "12" }],
  ["HOME_OF", {}],
  ["SHELL_HAS", { SHELL_HAS: "it" }],
  ["A=", { A: "" }],
  ["A=b=c", { A: "b=c" }],
  ["A.B-C=dotted", { "A.B-C": "dotted" }],
];

for (const [text, values] of envFiles) {
  test(`an env file with ${JSON.stringify(text)} is read`, () => {
    const found = parseEnvFile(text, { SHELL_HAS: "it" });
    assert.deepEqual([found.values, found.mistakes], [values, []]);
  });
}

test("a line that is no assignment is a mistake with its number", () => {
  const { mistakes } = parseEnvFile("A=1\n?!\n", {});
  assert.deepEqual(mistakes, [{ kind: "malformed", detail: "expected NAME=value", line: 2 }]);
});
