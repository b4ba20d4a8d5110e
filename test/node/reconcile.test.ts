import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplicaId } from "../../model/ids.ts";
import { defaults } from "../../node/config.ts";
import { type Action, type Assignment, type Elsewhere, reconcile } from "../../node/reconcile.ts";
import { list, local, nowMs, revision, service, spec, updates } from "./facts.ts";

// `2@b` is replica 2 wanted at revision b, or running at it. An assignment may be "held" (not its
// turn), "new" (given a moment ago), "later" (its next try is in the future), "done" (wants no more
// tries), "closed" (its engine is silent), "in-place". A task says since when, in ms.
const cases: [name: string, given: string, running: string, actions: string][] = [
  ["starts what is missing", "1@a", "", "start 1@a"],
  ["waits for two rounds of gossip first", "1@a new", "", ""],
  ["waits until a failed replica may be tried again", "1@a later", "", ""],
  ["tries no more when the restart policy says so", "1@a done", "", ""],
  ["orders nothing of a silent engine", "1@a closed", "", ""],
  ["leaves a match alone", "1@a", "1@a ready 900", ""],
  ["does not start a second while one is on its way", "1@a", "1@a starting", ""],
  ["starts the new revision beside the old", "1@b", "1@a ready 9000", "start 1@b"],
  ["starts a replacement at once", "1@b new", "1@a ready 9000", "start 1@b"],
  ["waits for its turn in a rollout", "1@b held", "1@a ready 9000", ""],
  ["keeps the old one while the new one starts", "1@b", "1@a ready 9000, 1@b starting", ""],
  ["keeps the old one until the new one settled", "1@b", "1@a ready 9000, 1@b ready 400", ""],
  ["drains the old one then", "1@b", "1@a ready 9000, 1@b ready 600", "drain 1@a"],
  ["drains first where two cannot be", "1@b in-place", "1@a ready 9000", "drain 1@a"],
  ["starts only then", "1@b in-place", "1@a draining 100", ""],
  ["replaces what is sick", "1@a", "1@a sick", "fail 1@a"],
  ["lets a second task of one replica go", "1@a", "1@a ready 900, 1@a ready 100", "drain 1@a"],
  ["stops what has drained", "1@b", "1@b ready 900, 1@a draining 2000", "stop 1@a"],
  ["lets it drain for its time", "1@b", "1@b ready 900, 1@a draining 1900", ""],
  ["knows each replica apart", "1@a, 2@a", "1@a ready 900", "start 2@a"],
];

for (const [name, given, running, actions] of cases) {
  test(`reconcile ${name}`, () => {
    assert.equal(actionsOf(given, running, { kind: "unplaced" }), actions);
  });
}

// What runs here and is given to nobody here.
const moved = (ms: number): Elsewhere => ({ kind: "moved", readySinceMs: nowMs - ms });
const leaving: [name: string, elsewhere: Elsewhere, running: string, actions: string][] = [
  ["is stopped when its service is gone", { kind: "removed" }, "1@a ready 9000", "stop 1@a"],
  ["is drained when it is no longer wanted", { kind: "surplus" }, "1@a ready 9000", "drain 1@a"],
  ["is stopped when it never served", { kind: "surplus" }, "1@a starting", "stop 1@a"],
  ["stays while nobody else has it", { kind: "unplaced" }, "1@a ready 9000", ""],
  ["stays until it serves there", { kind: "moved", readySinceMs: undefined }, "1@a ready 9", ""],
  ["stays until it settled there", moved(400), "1@a ready 9000", ""],
  ["goes then", moved(500), "1@a ready 9000", "drain 1@a"],
  ["is drained once", moved(500), "1@a draining 300", ""],
];

for (const [name, elsewhere, running, actions] of leaving) {
  test(`what runs out of place ${name}`, () => {
    assert.equal(actionsOf("", running, elsewhere), actions);
  });
}

test("nothing moves while too many look down at once, yet what nobody wants goes", () => {
  assert.equal(actionsOf("", "1@a ready 9000", moved(900), { frozen: true }), "");
  assert.equal(actionsOf("", "1@a ready 9000", { kind: "surplus" }, { frozen: true }), "drain 1@a");
});

test("nothing is decided about the tasks of an engine that does not say how they are", () => {
  const closed = { isOpen: () => false };
  assert.equal(actionsOf("", "1@a ready 9000", { kind: "removed" }, closed), "");
  assert.equal(actionsOf("1@b closed", "1@a draining 9000", moved(900), closed), "");
});

function actionsOf(
  given: string,
  running: string,
  elsewhere: Elsewhere,
  change: Partial<Parameters<typeof reconcile>[0]> = {},
): string {
  const tasks = list(running, local);
  const actions = reconcile({
    assignments: list(given, assignment),
    tasks,
    isOpen: () => true,
    elsewhere: () => elsewhere,
    frozen: false,
    nowMs,
    config: defaults,
    ...change,
  });
  const names = new Map<string, string>(
    tasks.map(({ facts }) => [facts.task, `${slotOf(facts.replica)}@${facts.revision}`]),
  );
  return actions.map((action) => show(action, names)).join(", ");
}

function assignment(text: string): Assignment {
  const [label = "", ...words] = text.split(" ");
  const [slot, of = ""] = label.split("@");
  return {
    replica: `${service}.${slot}` as ReplicaId,
    service,
    spec: spec(of, words.includes("in-place") ? updates({ order: "stop-first" }) : {}),
    revision: revision(of),
    mayReplace: !words.includes("held"),
    sinceMs: words.includes("new") ? nowMs : nowMs - 10_000,
    retryAtMs: words.includes("later") ? nowMs + 1 : Number.NEGATIVE_INFINITY,
    finished: words.includes("done"),
    engineOpen: !words.includes("closed"),
  };
}

function show(action: Action, names: ReadonlyMap<string, string>): string {
  if (action.kind === "start") {
    return `start ${slotOf(action.assignment.replica)}@${action.assignment.revision}`;
  }
  const verb = action.kind === "stop" && action.failed ? "fail" : action.kind;
  return `${verb} ${names.get(action.task)}`;
}

function slotOf(replica: ReplicaId): string {
  return replica.slice(service.length + 1);
}
