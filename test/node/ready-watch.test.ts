import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskId } from "../../model/ids.ts";
import { ReadyWatch } from "../../node/ready-watch.ts";

const [one, two] = ["a/b.1.x", "a/b.2.y"] as [TaskId, TaskId];

test("a task counts from the first look that saw it ready, and anew after one that did not", () => {
  const watch = new ReadyWatch();
  const looks: [atMs: number, task: TaskId | undefined, forMs: number][] = [
    [100, one, 0],
    [150, one, 50],
    [400, one, 300],
    [500, undefined, 0],
    [600, one, 0],
    [650, one, 50],
  ];
  for (const [atMs, task, forMs] of looks) {
    watch.begin(atMs);
    if (task !== undefined) assert.equal(watch.forMs(task), forMs);
    assert.equal(watch.forMs(two), atMs - 100, "each for itself");
  }
});
