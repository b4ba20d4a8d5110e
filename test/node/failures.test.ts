import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplicaId, ServiceId } from "../../model/ids.ts";
import { defaults } from "../../node/config.ts";
import { backoff, Failures } from "../../node/failures.ts";
import { revision } from "./facts.ts";

const replica = "demo/web.1" as ReplicaId;
const service = "demo/web" as ServiceId;
const bad = { service, replica, revision: revision("bad") };
const mended = { service, replica, revision: revision("mended") };

test("tries grow rare with failures, from the spec's own delay to the most there is", () => {
  const waits = [1, 2, 3, 4, 12].map((failures) => backoff(failures, 5_000, defaults));
  assert.deepEqual(waits, [500, 5_000, 10_000, 20_000, 60_000]);
  assert.equal(backoff(2, 0, defaults), defaults.retryMinMs);
});

test("a mended revision is tried at once, however often its forerunner failed", () => {
  const failures = new Failures(defaults);
  for (let count = 0; count < 9; count++) failures.note(bad, 0, 1_000);
  assert.equal(failures.retryAtMs(bad, 0), 61_000);
  assert.equal(failures.retryAtMs(mended, 0), Number.NEGATIVE_INFINITY);
  assert.equal(failures.count(mended), 0);
});

test("a task that ran long clears the count, and so does forgiving", () => {
  const failures = new Failures(defaults);
  failures.note(bad, 0, 0);
  failures.note(bad, 0, 0);
  assert.equal(failures.count(bad), 2);
  failures.note(bad, defaults.forgivenMs, 0);
  assert.equal(failures.count(bad), 1);
  failures.forgive(bad);
  assert.equal(failures.count(bad), 0);
});

test("what rows said counts after a restart, and what is long past is not kept", () => {
  const failures = new Failures(defaults);
  failures.restore(bad, 4, 0);
  failures.restore(bad, 2, 0);
  assert.equal(failures.count(bad), 4);
  failures.note(mended, 0, 3_600_000);
  assert.equal(failures.count(bad), 0);
});

test("a service that is removed takes its failures along", () => {
  const failures = new Failures(defaults);
  failures.note(bad, 0, 0);
  failures.keepOnly(new Set([service]));
  assert.equal(failures.count(bad), 1);
  failures.keepOnly(new Set());
  assert.equal(failures.count(bad), 0);
});
