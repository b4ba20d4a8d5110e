/** What this node makes of the ends of its tasks: seen ones count as failures, others do not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskFacts } from "../../model/documents.ts";
import type { Moment } from "../../model/moment.ts";
import { defaults } from "../../node/config.ts";
import { LocalTasks } from "../../node/local-tasks.ts";
import type { EngineReport, ObservedTask } from "../../ports.ts";
import { facts, nowMs } from "./facts.ts";

const moment: Moment = { wallMs: nowMs, monotonicMs: nowMs, dice: 0 };

function report(task: TaskFacts, state: ObservedTask["state"]): EngineReport {
  const { replica, service, revision, createdAtMs, engine } = task;
  const isExited = state === "exited";
  const observed: ObservedTask = {
    ...{ task: task.task, replica, service, revision, createdAtMs, state },
    ...{ health: "none", ready: !isExited, ...(isExited ? { exitCode: 137 } : {}) },
  };
  return { kind: "observed", engine, tasks: [observed] };
}

test("a task that ended while no agent watched is over, and no failure of its own", () => {
  const tasks = new LocalTasks(defaults);
  const row = facts("1@a ready");
  tasks.restore([row], nowMs);
  tasks.observe(report(row, "exited"), moment);
  assert.equal(tasks.get(row.task)?.facts.state, "failed");
  assert.equal(tasks.failures.count(row), 0);
});

test("a task that ended while its rows were lost is none either", () => {
  const tasks = new LocalTasks(defaults);
  const row = facts("1@a ready");
  tasks.observe(report(row, "exited"), moment);
  assert.equal(tasks.get(row.task)?.facts.state, "failed");
  assert.equal(tasks.failures.count(row), 0);
});

test("a task that was found again and then ended is one", () => {
  const tasks = new LocalTasks(defaults);
  const row = facts("1@a ready");
  tasks.restore([row], nowMs);
  tasks.observe(report(row, "running"), moment);
  tasks.observe(report(row, "exited"), moment);
  assert.equal(tasks.failures.count(row), 1);
});

test("what had failed before a restart still counts after it", () => {
  const tasks = new LocalTasks(defaults);
  const row = { ...facts("1@a failed"), failures: 3 };
  tasks.restore([row], nowMs);
  tasks.observe(report(row, "exited"), moment);
  assert.equal(tasks.failures.count(row), 4);
});

test("a task that its engine never showed is over as soon as nobody wants it", () => {
  const tasks = new LocalTasks(defaults);
  const row = facts("1@a preparing");
  tasks.begin(row);
  const task = tasks.get(row.task);
  assert.ok(task !== undefined);
  tasks.stop(task, moment, "its service was removed", false);
  assert.deepEqual(
    [task.facts.state, task.facts.reason, task.endedAtMs],
    ["complete", "its service was removed", nowMs],
  );
  assert.equal(tasks.failures.count(row), 0);
});
