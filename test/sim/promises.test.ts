/** What is promised in numbers, measured on virtual time: probes, gossip and agents are real. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../crdt/hash.ts";
import { QuietMesh } from "./quiet-mesh.ts";

/** The slowest of a hundred is the 99th percentile. */
const cuts = 100;

function worst(times: readonly number[]): number {
  return Math.max(...times);
}

for (const nodes of [2, 3, 5, 12]) {
  test(`${nodes} nodes: traffic leaves a host without power in 1.5 s, replicas serve in 4 s`, (t) => {
    const left: number[] = [];
    const served: number[] = [];
    for (let seed = 1; seed <= Math.ceil(cuts / nodes); seed++) {
      const quiet = new QuietMesh(nodes, seed);
      quiet.deploy(6);
      quiet.until(() => quiet.serving().length === 6);
      quiet.run(1_000 + seed * 37);
      const victim = quiet.host(1 + (seed % nodes));
      victim.powerOff();
      left.push(quiet.until(() => !quiet.routesTo(victim)));
      served.push((left.at(-1) ?? 0) + quiet.until(() => quiet.serving().length === 6));
      assert.equal(quiet.checks.breach(), undefined);
    }
    t.diagnostic(`routes ${worst(left)} ms, serving ${worst(served)} ms, of ${left.length}`);
    assert.ok(worst(left) <= 1_500);
    assert.ok(worst(served) <= 4_000);
  });
}

test("a killed agent restarts none of its tasks, however long it is away", () => {
  for (const awayMs of [100, 2_000, 15_000]) {
    const quiet = new QuietMesh(4, awayMs);
    quiet.deploy(8);
    quiet.until(() => quiet.serving().length === 8);
    const host = quiet.host(2);
    const before = quiet.serving(host);
    assert.ok(before.length > 0);
    host.killAgent();
    quiet.run(awayMs);
    host.startAgent();
    quiet.run(20_000);
    assert.deepEqual(quiet.serving(host), before, `away for ${awayMs} ms`);
    assert.equal(quiet.ledger.live().length, 8);
    assert.equal(quiet.checks.breach(), undefined);
  }
});

test("a cable pulled for up to ten seconds restarts no healthy task", () => {
  for (const cutMs of [300, 1_000, 3_000, 10_000]) {
    const quiet = new QuietMesh(5, cutMs);
    quiet.deploy(10);
    quiet.until(() => quiet.serving().length === 10);
    const before = quiet.ledger.live().map(({ task }) => task);
    const mend = quiet.cutOff(quiet.host(3));
    quiet.run(cutMs);
    mend();
    quiet.run(15_000);
    const after = quiet.ledger.live().map(({ task }) => task);
    assert.deepEqual(after.sort(), before.sort(), `cut for ${cutMs} ms`);
    assert.equal(quiet.checks.breach(), undefined);
  }
});

test("two sides of a partition each run all, and are one again soon after it heals", () => {
  for (const nodes of [2, 4, 7]) {
    const quiet = new QuietMesh(nodes, nodes);
    quiet.deploy(6);
    quiet.until(() => quiet.serving().length === 6);
    const before = quiet.ledger.live().map(({ task }) => task);
    const far = quiet.mesh.hosts.slice(0, nodes >> 1);
    const near = quiet.mesh.hosts.slice(nodes >> 1);
    const mends = far.flatMap((left) =>
      near.flatMap((right) => [
        quiet.mesh.network.cut(left.node, right.node),
        quiet.mesh.network.cut(right.node, left.node),
      ]),
    );
    const all = (side: typeof near) => {
      const tasks = side.flatMap((host) => quiet.serving(host));
      return new Set(tasks.map((task) => task.slice(0, task.lastIndexOf(".")))).size === 6;
    };
    assert.ok(quiet.until(() => all(near) && all(far)) <= 12_000, `${nodes} nodes apart`);
    for (const mend of mends) mend();
    const digests = () => {
      return new Set(
        quiet.mesh.running().map((host) => hex(host.agent()?.store.digest() ?? noDigest)),
      );
    };
    assert.ok(quiet.until(() => digests().size === 1) <= 10_000, `${nodes} nodes equal`);
    assert.ok(quiet.until(() => quiet.ledger.live().length === 6) <= 15_000);
    // The older task wins: those that ran before the partition run still.
    assert.deepEqual(
      quiet.ledger
        .live()
        .map(({ task }) => task)
        .sort(),
      before.sort(),
    );
    assert.equal(quiet.checks.breach(), undefined);
  }
});

const noDigest = new Uint8Array();

test("a service that wants a majority stops on the lesser side, and runs on on the other", () => {
  const quiet = new QuietMesh(5, 9);
  quiet.deploy(5, { isolation: "majority" });
  quiet.until(() => quiet.serving().length === 5);
  const lone = quiet.host(4);
  assert.ok(quiet.serving(lone).length > 0);
  const mend = quiet.cutOff(lone);
  const stopMs = quiet.until(() => quiet.serving(lone).length === 0);
  assert.ok(stopMs <= 10_000, `${stopMs} ms`);
  assert.ok(quiet.until(() => quiet.serving().length === 5) <= 10_000);
  mend();
  quiet.run(10_000);
  assert.equal(quiet.serving().length, 5);
});

test("with one node left of many, that one serves everything and takes writes", () => {
  const quiet = new QuietMesh(4, 3);
  quiet.deploy(3);
  quiet.until(() => quiet.serving().length === 3);
  for (const number of [1, 2, 4]) quiet.host(number).powerOff();
  const last = quiet.host(3);
  assert.ok(quiet.until(() => quiet.serving(last).length === 3) <= 10_000);
  quiet.operators.scale("sim/web" as never, 5);
  assert.ok(quiet.until(() => quiet.serving(last).length === 5) <= 5_000);
});

test("nobody is taken for dead on a bad network among busy machines", (t) => {
  let suspicions = 0;
  let looks = 0;
  for (const nodes of [3, 8]) {
    const quiet = new QuietMesh(nodes, nodes);
    quiet.mesh.network.faults = { lossPercent: 5, repeatPercent: 5, delayMinMs: 1, delayMaxMs: 80 };
    for (let second = 0; second < 120; second++) {
      quiet.host(1 + (second % nodes)).stall(1_000);
      quiet.run(1_000);
      for (const host of quiet.mesh.hosts) {
        for (const { status } of host.agent()?.statuses().values() ?? []) {
          assert.notEqual(status, "down", `${nodes} nodes, second ${second}`);
          looks++;
          if (status === "suspect") suspicions++;
        }
      }
    }
  }
  t.diagnostic(`suspect in ${suspicions} of ${looks} looks`);
  assert.ok(suspicions * 100 <= looks);
});
