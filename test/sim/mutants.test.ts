/**
 * The simulator is worth what it catches. Each mutant is the house with one mistake planted in it,
 * in a copy of the tree; a few seeds must find it.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../tidy/source-tree.ts";

/** All that sim/main.ts loads. */
const rooms = ["model", "crdt", "trust", "link", "gossip", "placement", "node", "sim", "ports.ts"];
const seeds = 60;
/** Small meshes run fast, and these mistakes need no more. */
const nodes = 4;

type Edit = readonly [file: string, from: string, to: string];

const mutants: Readonly<Record<string, readonly Edit[]>> = {
  "of two writes with one stamp, the one that came first wins": [
    ["crdt/stamp.ts", "compareText(left.writer, right.writer)", "0"],
    ["crdt/register.ts", "|| (left.id < right.id ? -1 : 1)", ""],
  ],
  "an older task stops before its successor serves": [
    [
      "node/reconcile.ts",
      "const serving = keeper?.readySinceMs !== undefined;",
      "const serving = true;",
    ],
    ["node/reconcile.ts", "nowMs - (keeper?.readySinceMs ?? nowMs) >= config.settleMs", "true"],
  ],
  "a replica that moved stops before it is served elsewhere": [
    ["node/reconcile.ts", "frozen || elsewhere.readySinceMs === undefined", "false"],
    ["node/reconcile.ts", "nowMs - elsewhere.readySinceMs < config.settleMs", "false"],
  ],
  "a write is acknowledged before it is on disk": [
    [
      "node/operator-writes.ts",
      'return [{ kind: "store", writes: prepared.rows, request }];',
      'return [...refuse([]), { kind: "store", writes: prepared.rows, request }];',
    ],
  ],
  "an accusation is neither refuted nor withdrawn": [
    ["gossip/membership.ts", "if (standing.length > 0)", "if (standing.length > 1e9)"],
    [
      "gossip/evidence.ts",
      'known.state !== "gone" || nowMs',
      'known.accused === undefined && known.state !== "gone" || nowMs',
    ],
  ],
};

const made: string[] = [];
after(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

for (const [name, edits] of Object.entries(mutants)) {
  test(`it is found when ${name}`, () => {
    const tree = plant(edits);
    const args = ["sim/main.ts", "--fail-fast", "--nodes", String(nodes)];
    const { status, stdout } = spawnSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", ...args, "--seeds", String(seeds)],
      { cwd: tree, encoding: "utf8" },
    );
    assert.match(stdout, /\d+ passed, 1 failed\n$/);
    assert.equal(status, 1);
  });
}

function plant(edits: readonly Edit[]): string {
  const tree = mkdtempSync(join(tmpdir(), "shoal-mutant-"));
  made.push(tree);
  for (const room of [...rooms, "package.json"]) {
    cpSync(join(root, room), join(tree, room), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  for (const [file, from, to] of edits) {
    const path = join(tree, file);
    const text = readFileSync(path, "utf8");
    assert.equal(text.split(from).length, 2, `${file} no longer has one "${from}"`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  return tree;
}
