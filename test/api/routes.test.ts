import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExecFrame, writeFrames } from "../../api/exec-frames.ts";
import { findRoute, type Route, routes } from "../../api/routes.ts";
import { ofTask } from "../../api/shapes.ts";
import { statusOf } from "../../api/status.ts";
import { problemCodes } from "../../model/problem.ts";
import { readText } from "../tidy/source-tree.ts";

const table: readonly Route[] = Object.values(routes);
const page = readText("docs/api.md");

function rowOf({ method, path, query, role, kind, bodyBytesMax, summary }: Route): string {
  const shown = `\`${method} ${path}${query === ofTask ? "?task=" : ""}\``;
  return `| ${[shown, role, kind, size(bodyBytesMax), summary].join(" | ")} |`;
}

function size(bytes: number): string {
  if (bytes === 0) return "none";
  return bytes < 2 ** 20 ? `${bytes / 2 ** 10} KiB` : `${bytes / 2 ** 20} MiB`;
}

test("docs/api.md has every route as the table has it, in its order, and no other", () => {
  const rows = page.split("\n").filter((line) => /^\| `(?:GET|POST|PUT|DELETE) /.test(line));
  assert.deepEqual(rows, table.map(rowOf));
});

test("docs/api.md has every kind of frame by its number", () => {
  const kinds = [...page.matchAll(/^\| (\d) \| `([a-z-]+)` \|/gm)];
  assert.equal(kinds.length, 8);
  const data = new Uint8Array(0);
  const rest = {
    data,
    columns: 1,
    rows: 1,
    code: 0,
    problems: [{ code: "overloaded", detail: "" }],
  };
  for (const [, number, kind] of kinds) {
    const [frame] = writeFrames({ kind, ...rest } as unknown as ExecFrame);
    assert.equal(frame?.[0], Number(number), kind);
  }
});

test("docs/api.md names every status that a problem can have", () => {
  const named = [...page.matchAll(/^\| (\d{3}) \|/gm)].map(([, status]) => Number(status));
  const used = problemCodes.map((code) => statusOf([{ code } as never]));
  assert.deepEqual(named, [...new Set([...used, 500])].sort());
});

test("routes are told apart by method and path, and found with any query", () => {
  const found = table.map(({ method, path }) => findRoute(method, `${path}?x=1`));
  assert.deepEqual(found, Object.keys(routes));
  assert.equal(findRoute("PUT", "/v1/view"), undefined);
  assert.equal(findRoute("GET", "/v1/__proto__"), undefined);
});

test("what reads is open to viewers, what changes is not", () => {
  for (const { method, path, role, kind } of table) {
    // Everything at once, secrets of all services included.
    if (path === "/v1/backup") continue;
    if (role === "viewer" || role === "none") assert.notEqual(kind, "session", path);
    if (method === "GET") assert.ok(role === "viewer" || role === "none", path);
  }
});

test("only what has a body takes one", () => {
  for (const { method, path, bodyBytesMax } of table) {
    assert.equal(bodyBytesMax > 0, method === "POST", path);
  }
});
