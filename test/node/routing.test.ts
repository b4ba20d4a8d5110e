import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId } from "../../model/ids.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type { Desired, Member } from "../../node/desired.ts";
import { hasMajority, placementInput, takeAim } from "../../node/desired.ts";
import { revisionOf } from "../../node/mesh-facts.ts";
import { aimOf, planRollout } from "../../node/rollout.ts";
import { claimPorts, deriveRouting } from "../../node/routing.ts";
import { history, list, nowMs, placed, spec, updates } from "./facts.ts";

// n1 asks; n2 is suspect, n3 is down.
const members = [member("n1", "alive"), member("n2", "suspect"), member("n3", "down")];

const routed: [name: string, task: string, endpoint: string][] = [
  ["a ready task", "n1 1@a ready", "1 local"],
  ["one that drains, so that its connections live on", "n1 1@a ready draining", "1 local draining"],
  ["none that is not ready", "n1 1@a", ""],
  ["none that is starting", "n1 1@a starting", ""],
  ["none that is stopping", "n1 1@a ready stopping", ""],
  ["none that has ended", "n1 1@a failed", ""],
  ["none on a suspect node", "n2 1@a ready", ""],
  ["none on a node that is down", "n3 1@a ready lost", ""],
  ["none on a stranger", "n9 1@a ready", ""],
];

for (const [name, task, expected] of routed) {
  test(`routes hold ${name}`, () => {
    const { table } = deriveRouting(desired(task), "n1" as NodeId);
    const shown = table.services.flatMap(({ endpoints }) =>
      endpoints.map(({ slot, local, draining }) =>
        [slot, ...(local ? ["local"] : []), ...(draining ? ["draining"] : [])].join(" "),
      ),
    );
    assert.equal(shown.join(", "), expected);
  });
}

test("a published port belongs to the older of two services, and the other is told", () => {
  const ports: ServiceSpec["ports"] = [
    { published: 80, target: 8080, protocol: "tcp", mode: "ingress" },
  ];
  const claim = (name: string, createdAtMs: number) => {
    return { service: name as ServiceId, spec: spec("a", { ports }), createdAtMs };
  };
  const { holders, problems } = claimPorts([claim("x/new", 2), claim("x/old", 1)]);
  assert.equal(holders.get("80/tcp"), "x/old");
  assert.deepEqual(problems, [
    { code: "port-claimed", port: 80, protocol: "tcp", service: "x/new", holder: "x/old" },
  ]);
});

// Who keeps replica 1: a task that is ready, then of the wanted revision, then the older.
const holders: [name: string, tasks: string, best: string][] = [
  ["the one that is there", "n1 1@a starting", "n1"],
  ["the ready one", "n1 1@a starting, n2 1@a ready", "n2"],
  ["the wanted revision among ready ones", "n1 1@old ready, n2 1@a ready", "n2"],
  ["a ready one even of an older revision", "n1 1@a starting, n2 1@old ready", "n2"],
  ["the older of two", "n2 1@a ready, n1 1@a ready", "n2"],
  ["none on a lost node", "n1 1@a ready lost, n2 1@a starting", "n2"],
  ["none that is leaving for elsewhere", "n1 1@a ready draining, n2 1@a starting", "n2"],
  ["one that makes room for its successor", "n1 1@old ready draining", "n1"],
  ["one that is complete", "n1 1@a complete", "n1"],
  ["none that failed", "n1 1@a failed, n2 1@a starting", "n2"],
];

for (const [name, tasks, best] of holders) {
  test(`a replica stays with ${name}`, () => {
    const facts = history([spec("old"), spec("a")], 1);
    const rows = list(tasks, placed).map((task, index) => ({
      ...task,
      revision: task.revision === "a" ? facts.revision : task.revision,
      createdAtMs: nowMs - 30_000 + index,
    }));
    const { incumbents } = placementInput(takeAim([facts], members, rows), members, nowMs);
    const [first] = [...incumbents].sort((left, right) => left.rank - right.rank);
    assert.equal(first?.node, best);
  });
}

test("after a rollback it is the spec before that is placed, with its own refusals", () => {
  const back = updates({ failureAction: "rollback" });
  const old = spec("old", { isolation: "stay" });
  const facts = history([old, spec("new", back)], 1);
  const failed = { ...placed("n1 1@x failed", nowMs - 20_000), revision: facts.revision };
  const services = takeAim([facts], members, [failed]);
  const input = placementInput(services, members, nowMs);
  assert.equal(input.wanted[0]?.revision, revisionOf(old));
  assert.equal(input.wanted[0]?.spec.isolation, "stay");
  assert.deepEqual([...(input.stay ?? [])], [facts.service]);
});

test("more than half of the members is a majority, and half is not", () => {
  const of = (text: string) => text.split(" ").map((status) => member(status, status));
  assert.equal(hasMajority(of("alive")), true);
  assert.equal(hasMajority(of("alive down")), false);
  assert.equal(hasMajority(of("alive suspect down")), true);
  assert.equal(hasMajority(of("alive down down suspect")), false);
});

function member(name: string, status: string): Member {
  return {
    node: name as NodeId,
    role: "peer",
    status: status as Member["status"],
    heard: true,
    rows: { facts: undefined, tasks: [], noFits: [], accuses: new Map() },
    policy: { availability: "active", labels: {} },
    labels: {},
  };
}

function desired(task: string): Desired {
  const facts = history([spec("a")], 1);
  const tasks = list(task, placed);
  const aim = aimOf(facts, tasks, 3);
  const rollout = planRollout(facts, aim, [], tasks, () => 0);
  const placement = { assignments: new Map(), unplaced: new Map() };
  const services = [{ ...facts, aim, slots: [], rollout, tasks }];
  return { members, services, tasks, placement, complete: true };
}
