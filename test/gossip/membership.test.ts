import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Observers, observersOf, observersPerNode } from "../../gossip/observers.ts";
import { suspicion, suspicionTimeoutMs } from "../../gossip/suspicion.ts";
import type { NodeId } from "../../model/ids.ts";
import { MembershipBed } from "./membership-bed.ts";

/** After this, everyone has reached everyone it observes. */
const acquaintedMs = 4_000;

function acquainted(names: string): MembershipBed {
  const bed = new MembershipBed(names);
  bed.run(acquaintedMs);
  return bed;
}

function names(count: number): string {
  return Array.from({ length: count }, (_, index) => `n${index + 1}`).join(" ");
}

test("nobody suspects anybody while all is well", () => {
  const bed = acquainted(names(9));
  bed.run(60_000, () => {
    for (const name of bed.everyone()) assert.equal(bed.seenBy(name), "");
  });
});

test("a dead node is suspect everywhere with the first verdict, and down 400 ms later", () => {
  for (const count of [2, 3, 5, 12, 30]) {
    const bed = acquainted(names(count));
    bed.kill("n2");
    const others = bed.everyone().filter((name) => name !== "n2");
    const are = (status: string) => () => others.every((by) => bed.status(by, "n2") === status);
    assert.ok(bed.until(are("suspect")) <= 800, `${count} nodes: suspect`);
    assert.ok(bed.until(are("down")) <= 550, `${count} nodes: down`);
    for (const by of others) assert.equal(bed.seenBy(by), "n2=down");
  }
});

test("one that comes back is alive again as soon as it is reached", () => {
  const bed = acquainted(names(5));
  bed.kill("n2");
  bed.run(5_000);
  assert.equal(bed.seenBy("n4"), "n2=down");
  bed.heal();
  assert.ok(bed.until(() => bed.everyone().every((name) => bed.seenBy(name) === "")) <= 300);
});

test("one whose probes are answered while its agent says nothing stays down until it does", () => {
  for (const count of [2, 5]) {
    const bed = acquainted(names(count));
    bed.kill("n2");
    bed.run(5_000);
    bed.answerAgain("n2");
    bed.run(10_000, () => assert.equal(bed.seenBy("n1"), "n2=down"));
    bed.heal();
    assert.ok(bed.until(() => bed.seenBy("n1") === "") <= 300);
    assert.equal(bed.incarnation("n2"), 1, "it had to refute");
  }
});

test("a link broken between two is refuted each time, and tried less and less often", () => {
  const bed = acquainted(names(5));
  bed.cut("n1", "n2", false);
  let suspectMs = 0;
  bed.run(60_000, () => {
    assert.notEqual(bed.status("n3", "n2"), "down");
    if (bed.status("n3", "n2") === "suspect") suspectMs += 50;
  });
  assert.ok(bed.incarnation("n2") <= 6, `refuted ${bed.incarnation("n2")} times`);
  assert.ok(suspectMs <= 600, `suspect for ${suspectMs} ms of a minute`);
  assert.equal(bed.status("n1", "n2"), "suspect", "who cannot reach it sends it nothing");
});

test("an accusation that nobody confirms and nobody refutes is believed after five seconds", () => {
  const bed = acquainted(names(5));
  bed.cut("n1", "n2", false);
  // n2 hears of nothing, so it refutes nothing; the others still reach it.
  for (const name of ["n1", "n3", "n4", "n5"]) bed.cut("n2", name);
  bed.until(() => bed.status("n3", "n2") === "suspect");
  bed.run(4_900, () => assert.equal(bed.status("n3", "n2"), "suspect"));
  bed.run(200);
  assert.equal(bed.status("n3", "n2"), "down");
});

test("whoever is cut off alone soon sees all others down, and freezes", () => {
  for (const count of [3, 5, 12, 30]) {
    const bed = acquainted(names(count));
    bed.isolate("n1");
    const others = bed.everyone().filter((name) => name !== "n1");
    const allDown = () => others.every((node) => bed.status("n1", node) === "down");
    assert.ok(bed.until(allDown) <= 6_000, `${count} nodes`);
    assert.equal(bed.result("n1").frozen, true);
    for (const by of others) assert.equal(bed.seenBy(by), "n1=down");
    for (const by of others) assert.equal(bed.result(by).frozen, false);
    bed.heal();
    assert.ok(bed.until(() => bed.everyone().every((name) => bed.seenBy(name) === "")) <= 1_000);
  }
});

test("each side of a partition sees the other down, at any size and any split", () => {
  for (const [count, left] of [
    [4, 2],
    [5, 2],
    [12, 6],
    [20, 4],
    [30, 10],
  ] as const) {
    const bed = acquainted(names(count));
    const everyone = bed.everyone();
    const [near, far] = [everyone.slice(0, left), everyone.slice(left)];
    bed.isolate(...near);
    const sees = (side: string[], other: string[]) =>
      side.every((by) => other.every((node) => bed.status(by, node) === "down"));
    assert.ok(bed.until(() => sees(near, far) && sees(far, near)) <= 9_000, `${count}: ${left}`);
    const own = (side: string[]) =>
      side.every((by) => side.every((node) => by === node || bed.status(by, node) === "alive"));
    bed.run(2_000);
    assert.ok(own(near) && own(far), `${count}: ${left} sees itself alive`);
  }
});

test("a third of the members gone at once freezes, a member long gone does not", () => {
  const bed = acquainted(names(5));
  bed.kill("n1", "n2");
  bed.run(3_000);
  assert.equal(bed.result("n4").frozen, true);
  bed.run(60_000);
  assert.equal(bed.seenBy("n4"), "n1=down n2=down");
  assert.equal(bed.result("n4").frozen, false);
});

test("an agent that starts again thinks nobody dead before it had time to ask", () => {
  const bed = acquainted(names(4));
  bed.kill("n1", "n2", "n3", "n4");
  bed.restart("n4");
  bed.heal();
  bed.kill("n1", "n2", "n3");
  bed.run(2_900, () => assert.doesNotMatch(bed.seenBy("n4"), /down/));
  assert.ok(bed.until(() => bed.seenBy("n4") === "n1=down n2=down n3=down") <= 4_000);
});

test("an agent that starts again remembers whom it accused, and believes the first to object", () => {
  const bed = acquainted(names(4));
  bed.kill("n1");
  bed.run(5_000);
  bed.restart("n4");
  bed.run(200, () => assert.equal(bed.seenBy("n4"), "n1=suspect"));
  assert.ok(bed.until(() => bed.seenBy("n4") === "n1=down") <= 4_000);
  bed.restart("n4");
  bed.heal();
  assert.ok(bed.until(() => bed.seenBy("n4") === "") <= 300);
});

test("an agent that starts again among the living takes none of them for dead", () => {
  const bed = acquainted(names(6));
  bed.restart("n3");
  bed.run(10_000, () => assert.equal(bed.seenBy("n3"), ""));
});

test("a member that was admitted and never came is down after ten seconds", () => {
  const bed = new MembershipBed("n1 n2 n3", "n1 n2");
  bed.kill("n3");
  bed.run(9_900, () => assert.notEqual(bed.status("n1", "n3"), "down"));
  bed.run(200);
  assert.equal(bed.status("n1", "n3"), "down");
});

test("who is no observer accuses in vain, and an observer's lie is refuted", () => {
  const everyone = names(14).split(" ") as NodeId[];
  const observers = observersOf("n1" as NodeId, everyone);
  const stranger = everyone.find((node) => node !== "n1" && !observers.includes(node)) as NodeId;
  const bed = acquainted(names(14));
  bed.lie(stranger, "n1", 0);
  bed.run(10_000, () => assert.notEqual(bed.status("n5", "n1"), "down"));
  const liar = observers[0] as NodeId;
  bed.lie(liar, "n1", bed.incarnation("n1"));
  bed.run(10_000, () => assert.notEqual(bed.status("n5", "n1"), "down"));
  assert.equal(bed.seenBy("n5"), "");
});

test("an accusation of a life far in the future is made up, and answers nothing", () => {
  const bed = acquainted(names(5));
  bed.lie("n2", "n1", 2 ** 52);
  bed.run(10_000, () => assert.equal(bed.seenBy("n3"), ""));
  assert.equal(bed.incarnation("n1"), 0);
});

test("a loop that stood still begins to wait anew", () => {
  const bed = acquainted(names(2));
  bed.kill("n2");
  assert.ok(bed.until(() => bed.status("n1", "n2") === "suspect") < 1_000);
  bed.run(300);
  bed.stall("n1", 2_000);
  bed.run(700);
  assert.equal(bed.status("n1", "n2"), "suspect");
  bed.run(200);
  assert.equal(bed.status("n1", "n2"), "down");
});

test("time alone wakes the machine when it will change its mind", () => {
  const bed = acquainted(names(3));
  bed.kill("n2");
  bed.until(() => bed.status("n1", "n2") === "suspect");
  const wakeAtMs = bed.result("n1").wakeAtMs as number;
  assert.ok(wakeAtMs > bed.nowMs && wakeAtMs <= bed.nowMs + 1_000, `${wakeAtMs}`);
  bed.heal();
  bed.run(1_000);
  assert.equal(bed.result("n1").wakeAtMs, undefined);
});

test("whatever was cut, all are alive to all soon after it is mended", () => {
  const cut = fc.tuple(fc.nat(5), fc.nat(5), fc.boolean(), fc.integer({ min: 0, max: 40 }));
  fc.assert(
    fc.property(fc.array(cut, { maxLength: 24 }), (cuts) => {
      const bed = acquainted(names(6));
      const incarnations = bed.everyone().map((name) => bed.incarnation(name));
      for (const [from, to, documents, wait] of cuts) {
        if (from !== to) bed.cut(`n${from + 1}`, `n${to + 1}`, documents);
        bed.run(wait * 50);
      }
      bed.heal();
      const well = () => bed.everyone().every((name) => bed.seenBy(name) === "");
      assert.ok(bed.until(well) <= 2_000);
      bed.everyone().forEach((name, index) => {
        assert.ok(bed.incarnation(name) >= (incarnations[index] ?? 0));
      });
    }),
    { numRuns: 60 },
  );
});

test("observers are five others, few change when one leaves, and all have about as much to do", () => {
  const everyone = names(60).split(" ") as NodeId[];
  const table = new Observers(everyone);
  const duties = new Map<NodeId, number>();
  for (const node of everyone) {
    const observers = observersOf(node, everyone);
    assert.equal(observers.length, observersPerNode);
    assert.ok(!observers.includes(node));
    assert.deepEqual([...table.of(node)], observers);
    for (const observer of observers) duties.set(observer, 1 + (duties.get(observer) ?? 0));
    const left = observers[2] as NodeId;
    const after = observersOf(
      node,
      everyone.filter((one) => one !== left),
    );
    assert.deepEqual(
      observers.filter((one) => one !== left),
      after.slice(0, 4),
    );
  }
  assert.ok(Math.max(...duties.values()) <= 14, "nobody watches half the mesh");
  assert.ok(everyone.filter((node) => !duties.has(node)).length <= 3);
  assert.deepEqual(observersOf("n1" as NodeId, ["n1", "n2", "n3"] as NodeId[]).length, 2);
});

// accusers of electors → ms
const timeouts: [accusers: number, electors: number, ms: number][] = [
  [1, 1, 400],
  [1, 2, 5_000],
  [2, 2, 400],
  [1, 5, 5_000],
  [2, 5, 2_098],
  [3, 5, 400],
  [5, 5, 400],
];

for (const [accusers, electors, ms] of timeouts) {
  test(`${accusers} accusers of ${electors} observers are believed after ${ms} ms`, () => {
    assert.equal(Math.round(suspicionTimeoutMs(accusers, electors)), ms);
    assert.ok(ms >= suspicion.leastMs && ms <= suspicion.mostMs);
  });
}
