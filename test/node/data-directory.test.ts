import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadNodeKey, writePrivateFile } from "../../node/data-directory.ts";
import { openStorage } from "../../node/storage.ts";
import { fresh, look, problemOf, startStoring, storing } from "./storage-bench.ts";

test("a second agent is refused, by name, until the first has ended in whatever way", async () => {
  const directory = fresh();
  const child = startStoring(directory);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  assert.deepEqual(
    problemOf(() => openStorage(directory)),
    { code: "data-directory-locked", path: directory, holder: `process ${child.pid}` },
  );
  child.kill("SIGKILL");
  await once(child, "close");
  assert.ok(existsSync(join(directory, "agent.pid")), "its name is still there");
  look(directory, () => {
    assert.equal(problemOf(() => openStorage(directory)).code, "data-directory-locked");
    // That refusal, by this very process, must not have loosened the lock.
    const args = ["--disable-warning=ExperimentalWarning", storing, directory];
    const { status, stderr } = spawnSync(process.execPath, args);
    assert.notEqual(status, 0);
    assert.match(String(stderr), /data-directory-locked|another agent/);
  });
});

test("a lock that something wrote into is made anew", () => {
  const directory = fresh();
  writeFileSync(join(directory, "lock.db"), "rubbish".repeat(1_000));
  look(directory, () => {
    assert.equal(problemOf(() => openStorage(directory)).code, "data-directory-locked");
  });
});

test("a private file is replaced whole, readable by nobody else, with nothing left beside it", () => {
  const directory = fresh();
  const path = join(directory, "file");
  writeFileSync(`${path}.new`, "left over by a power cut", { mode: 0o644 });
  for (const text of ["first", "", "x".repeat(1_000_000)]) {
    writePrivateFile(path, Buffer.from(text));
    assert.equal(readFileSync(path, "utf8"), text);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }
  assert.deepEqual(readdirSync(directory), ["file"]);
  const nowhere = problemOf(() => writePrivateFile(join(directory, "no", "file"), Buffer.from("")));
  assert.equal(nowhere.code, "data-directory-unwritable");
});

test("a node's key is what somebody has said it is, if it is not there yet", () => {
  const directory = fresh();
  const wanted = new Uint8Array(32).fill(5);
  assert.deepEqual(loadNodeKey(directory, wanted), wanted);
  assert.deepEqual(loadNodeKey(directory, wanted), wanted);
  const other = problemOf(() => loadNodeKey(directory, new Uint8Array(32)));
  assert.equal(other.code, "file-unreadable");
  assert.deepEqual(loadNodeKey(directory), wanted);
});

test("a node's key is made once, found again, and never replaced", () => {
  const directory = fresh();
  const path = join(directory, "node.key");
  const seed = loadNodeKey(directory);
  assert.equal(seed.length, 32);
  assert.notDeepEqual(seed, loadNodeKey(fresh()));
  chmodSync(path, 0o644);
  assert.deepEqual(loadNodeKey(directory), seed);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(path, seed.subarray(0, 31));
  assert.equal(problemOf(() => loadNodeKey(directory)).code, "file-unreadable");
  assert.equal(readFileSync(path).length, 31);
});
