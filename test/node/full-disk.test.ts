import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openStorage } from "../../node/storage.ts";
import { mountDisk, remount, unmountDisk } from "./mounts.ts";
import { fresh, look, needsRoot, problemOf, put, texts, write } from "./storage-bench.ts";

test(
  "a full disk refuses writes, keeps what it has, and takes more once there is room",
  needsRoot,
  () => {
    const directory = fresh();
    mountDisk(directory, "1m");
    try {
      const filler = join(directory, "filler");
      const kept: Record<string, string> = {};
      const { storage } = openStorage(directory);
      const fill = (from: number): void => {
        for (let index = from; index < from + 500; index++) {
          const value = `${index}`.repeat(1_000);
          const outcome = storage.commit([write("fact", `${index}`, value)]);
          if (outcome.kind === "refused") {
            assert.deepEqual(outcome.problem, { code: "disk-full", path: directory });
            return;
          }
          kept[`${index}`] = value;
        }
        assert.fail("the disk never was full");
      };
      writeFileSync(filler, Buffer.alloc(500_000));
      fill(0);
      assert.ok(Object.keys(kept).length > 10);
      assert.deepEqual(texts(storage, "fact"), kept);
      assert.equal(storage.commit([write("fact", "more", "x".repeat(9_000))]).kind, "refused");
      rmSync(filler);
      put(storage, write("fact", "last", "one"));
      kept.last = "one";
      fill(1_000);
      storage.close();
      look(directory, (again, problems) => {
        assert.deepEqual(problems, [], "a full disk does not keep an agent from starting");
        assert.deepEqual(texts(again, "fact"), kept);
      });
    } finally {
      unmountDisk(directory);
    }
  },
);

test("a disk that is full to the last byte keeps no agent from starting again", needsRoot, () => {
  const directory = fresh();
  mountDisk(directory, "1m");
  try {
    look(directory, (storage) => put(storage, write("fact", "a", "1")));
    const filler = join(directory, "filler");
    try {
      for (;;) writeFileSync(filler, "x".repeat(1_000), { flag: "a" });
    } catch {
      // Now it is.
    }
    look(directory, (storage) => {
      assert.deepEqual(texts(storage, "fact"), { a: "1" });
      assert.equal(storage.commit([write("fact", "b", "2")]).kind, "refused");
      rmSync(filler);
      put(storage, write("fact", "b", "2"));
    });
  } finally {
    unmountDisk(directory);
  }
});

test("the very first start on a full disk says so", needsRoot, () => {
  const directory = fresh();
  mountDisk(directory, "64k");
  try {
    writeFileSync(join(directory, "filler"), Buffer.alloc(64 * 1024));
    assert.deepEqual(
      problemOf(() => openStorage(directory)),
      { code: "disk-full", path: directory },
    );
    rmSync(join(directory, "filler"));
    look(directory, (storage) => put(storage, write("fact", "a", "1")));
  } finally {
    unmountDisk(directory);
  }
});

test("a disk that has become read-only refuses writes until it is not", needsRoot, () => {
  const directory = fresh();
  mountDisk(directory, "2m");
  try {
    look(directory, (storage) => put(storage, write("fact", "a", "1")));
    remount(directory, "ro");
    assert.equal(problemOf(() => openStorage(directory)).code, "data-directory-unwritable");
    const inside = problemOf(() => openStorage(join(directory, "inside")));
    assert.equal(inside.code, "data-directory-unwritable");
    remount(directory, "rw");
    look(directory, (storage) => assert.deepEqual(texts(storage, "fact"), { a: "1" }));
  } finally {
    unmountDisk(directory);
  }
});
