import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { keys } from "../../../cli/compose/key-check.ts";
import { printMatrix } from "../../../cli/compose/matrix.ts";

const page = new URL("../../../docs/compose.md", import.meta.url);

test("docs/compose.md is what the table of keys prints", () => {
  if (process.env.UPDATE_DOCS === "1") writeFileSync(page, printMatrix());
  const hint = "run this test with UPDATE_DOCS=1 to print it anew";
  assert.equal(readFileSync(page, "utf8"), printMatrix(), hint);
});

test("every key has a known standing, and says why when it is not honoured", () => {
  for (const { path, standing, note } of keys) {
    assert.ok(["yes", "partly", "ignored", "refused"].includes(standing), `${path}: ${standing}`);
    assert.ok(standing === "yes" || note !== "", `${path} gives no reason`);
  }
});

test("no key stands in the table twice", () => {
  const paths = keys.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
});

test("every key of the table is on the page", () => {
  const rows = printMatrix()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  assert.equal(rows.length, keys.filter(({ path }) => !path.endsWith(".**")).length);
});
