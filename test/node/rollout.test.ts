import assert from "node:assert/strict";
import { test } from "node:test";
import { replicaId } from "../../model/ids.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import { revisionOf } from "../../node/mesh-facts.ts";
import { aimOf, planRollout, previousSpec } from "../../node/rollout.ts";
import { history, list, nowMs, placed, service, spec, updates } from "./facts.ts";

// Tasks of four replicas on their way from revision a to b: who may be replaced, and what the
// rollout says of itself.
const cases: [name: string, change: Partial<ServiceSpec["update"]>, tasks: string, said: string][] =
  [
    ["begins with one", {}, "1@a ready, 2@a ready, 3@a ready, 4@a ready", "1 updating"],
    ["waits for it", {}, "1@b starting, 1@a ready, 2@a ready, 3@a ready, 4@a ready", "1 updating"],
    ["goes on with the next", {}, "1@b ready, 2@a ready, 3@a ready, 4@a ready", "2 updating"],
    ["takes two at once", { parallelism: 2 }, "1@a ready, 2@a ready, 3@a ready", "1 2 updating"],
    ["takes all at once", { parallelism: 0 }, "1@a ready, 2@a ready", "1 2 3 4 updating"],
    ["rests between", { delayMs: 60_000 }, "1@b ready, 2@a ready", "1 updating"],
    ["is done", {}, "1@b ready, 2@b ready, 3@b ready, 4@b ready", " completed"],
    ["is done with what is gone", {}, "1@b ready, 2@a lost, 3@b ready, 4@b ready", "2 completed"],
    ["pauses after a failure", {}, "1@b failed, 1@a ready, 2@a ready", " paused"],
    [
      "bears some failures",
      { maxFailureRatio: 0.5 },
      "1@b failed, 1@a ready, 2@a ready",
      "1 updating",
    ],
    ["goes on regardless", { failureAction: "continue" }, "1@b failed, 1@a ready", "1 updating"],
    [
      "turns back",
      { failureAction: "rollback" },
      "1@b failed, 1@a ready, 2@b ready",
      "2 rolling-back",
    ],
    ["is back", { failureAction: "rollback" }, "1@b failed, 1@a ready, 2@a ready", "3 rolled-back"],
  ];

/** Everything ready has been so for half a minute. */
const seenForMs = () => 30_000;

for (const [name, change, tasks, said] of cases) {
  test(`a rollout ${name}`, () => {
    const [old, next] = [spec("a"), spec("b", updates(change))];
    const facts = history([old, next], 4);
    const revisions = { a: revisionOf(old), b: revisionOf(next) };
    const rows = list(tasks, (text) => {
      const task = placed(`n1 ${text}`, nowMs - 20_000);
      return { ...task, revision: revisions[task.revision as "a" | "b"] };
    });
    const slots = [1, 2, 3, 4].map((slot) => replicaId(service, slot));
    const aim = aimOf(facts, rows, 3);
    const { mayReplace, status, revision } = planRollout(facts, aim, slots, rows, seenForMs);
    const open = [...mayReplace].map((replica) => replica.slice(service.length + 1)).sort();
    assert.equal(`${open.join(" ")} ${status.state}`, said);
    const isBack = status.state === "rolling-back" || status.state === "rolled-back";
    assert.equal(revision, isBack ? revisions.a : revisions.b);
  });
}

const refusals: [name: string, tasks: string, nodes: number, failed: number][] = [
  ["one host refuses it: that says nothing of the revision", "n1 1@b failed refused", 3, 0],
  ["two hosts refuse it", "n1 1@b failed refused, n2 1@b failed refused", 3, 1],
  ["the only host refuses it", "n1 1@b failed refused", 1, 1],
  ["it exits once", "n1 1@b failed", 3, 1],
  ["one host refuses two replicas", "n1 1@b failed refused, n1 2@b failed refused", 3, 0],
];

for (const [name, text, nodes, failed] of refusals) {
  test(`an update counts ${failed} failures when ${name}`, () => {
    const [old, next] = [spec("a"), spec("b")];
    const rows = list(text, (item) => {
      return { ...placed(item, nowMs - 20_000), revision: revisionOf(next) };
    });
    assert.equal(aimOf(history([old, next], 2), rows, nodes).failed, failed);
  });
}

test("a failure long after its task was made is no failure of the update", () => {
  const [old, next] = [spec("a"), spec("b")];
  const facts = history([old, next], 1);
  const failed = placed("n1 1@b failed", nowMs - 50_000);
  const early = { ...failed, revision: revisionOf(next), changedAtMs: nowMs - 16_000 };
  const late = { ...early, changedAtMs: nowMs - 14_000 };
  const older = placed("n1 1@a ready");
  const rows = [{ ...older, revision: revisionOf(old) }];
  const slots = [replicaId(service, 1)];
  for (const [task, state] of [
    [early, "paused"],
    [late, "updating"],
  ] as const) {
    const tasks = [task, ...rows];
    const { status } = planRollout(facts, aimOf(facts, tasks, 3), slots, tasks, seenForMs);
    assert.equal(status.state, state);
  }
});

test("turning back skips revisions that run the same tasks", () => {
  const [a, b] = [spec("a"), spec("b")];
  const relabelled = spec("b", { labels: { team: "web" } });
  assert.equal(revisionOf(relabelled), revisionOf(b), "labels replace no container");
  const facts = history([a, b, relabelled], 1);
  const previous = previousSpec(facts);
  assert.equal(previous === undefined ? "" : revisionOf(previous), revisionOf(a));
  assert.equal(previousSpec(history([a], 1)), undefined);
});
