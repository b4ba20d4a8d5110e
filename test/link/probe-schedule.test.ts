import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProbeEvent } from "../../link/probe-schedule.ts";
import { probeTimes } from "../../link/probe-watch.ts";
import type { NodeId } from "../../model/ids.ts";
import { answersIn, ProbeBench, type Reply, target } from "./probe-bench.ts";

const silence: Reply = () => undefined;

/** Loses the rounds that the pattern marks with "-", again and again. */
const losing = (pattern: string): Reply => {
  let sent = 0;
  return () => (pattern[sent++ % pattern.length] === "-" ? undefined : { afterMs: 2 });
};

const stories: [name: string, reply: Reply, story: string][] = [
  ["an answer makes a member reachable", answersIn(2), "a reachable"],
  ["silence makes it unreachable", silence, "a unreachable"],
  ["a far member is reachable", answersIn(350), "a reachable"],
  [
    "a member past the longest timeout is reachable while it answers",
    answersIn(300),
    "a reachable",
  ],
  ["one lost round of two is no verdict", losing("x-"), "a reachable"],
  ["two lost rounds in a row are no verdict", losing("x--"), "a reachable"],
  ["a slow loop is reachable", () => ({ afterMs: 2, lagMs: 2_900 }), "a reachable"],
  ["a loop that has not turned for long is hung", () => ({ afterMs: 2, lagMs: 3_000 }), "a hung"],
];

for (const [name, reply, story] of stories) {
  test(name, () => {
    const bench = new ProbeBench(reply);
    bench.observe(target("a"));
    bench.run(20_000);
    assert.equal(bench.story(), story);
  });
}

test("a death is seen within 1,360 ms, at whatever moment, and never before 400 ms", () => {
  fc.assert(
    fc.property(fc.integer({ min: 500, max: 3_000 }), fc.nat(1_000), (deathMs, seed) => {
      const bench = new ProbeBench(
        (_, nowMs) => (nowMs < deathMs ? { afterMs: 1 } : undefined),
        seed,
      );
      bench.observe(target("a"));
      bench.run(deathMs + 2_000);
      const afterMs = (bench.saidAt("unreachable") ?? Number.POSITIVE_INFINITY) - deathMs;
      assert.ok(afterMs >= 400 && afterMs <= 1_360, `${afterMs} ms`);
    }),
  );
});

test("a hastened member that is dead is seen within 200 ms", () => {
  fc.assert(
    fc.property(fc.integer({ min: 500, max: 3_000 }), fc.nat(1_000), (deathMs, seed) => {
      const bench = new ProbeBench(
        (_, nowMs) => (nowMs < deathMs ? { afterMs: 1 } : undefined),
        seed,
      );
      bench.observe(target("a"));
      bench.run(deathMs);
      bench.hasten("a");
      bench.run(200);
      assert.equal(bench.story(), "a reachable, a unreachable");
    }),
  );
});

test("a hastened member that lives is said to be reachable once more, at once", () => {
  const bench = new ProbeBench(answersIn(3));
  bench.observe(target("a"));
  bench.run(1_000);
  const sent = bench.sends.length;
  bench.hasten("a");
  bench.run(10);
  assert.equal(bench.verdicts.length, 2);
  bench.run(1_000);
  assert.ok(bench.sends.length - sent <= 7, "and probed at the usual pace again");
});

test("a member that comes back is reachable with its next answer", () => {
  const bench = new ProbeBench((_, nowMs) => (nowMs < 10_000 ? undefined : { afterMs: 2 }));
  bench.observe(target("a"));
  bench.run(12_000);
  assert.equal(bench.story(), "a unreachable, a reachable");
  assert.ok((bench.saidAt("reachable") as number) <= 10_000 + 481);
});

test("a loop that turns again is reachable", () => {
  const bench = new ProbeBench((_, nowMs) => {
    return { afterMs: 2, lagMs: nowMs < 5_000 ? nowMs : 10 };
  });
  bench.observe(target("a"));
  bench.run(6_000);
  assert.equal(bench.story(), "a reachable, a hung, a reachable");
  const hungMs = bench.saidAt("hung") as number;
  assert.ok(hungMs >= 3_000 && hungMs <= 3_860, `${hungMs} ms`);
});

test("no stall of our own makes others unreachable, however long", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 120, max: 9_000 })), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.constantFrom("queue" as const, "lost" as const),
      fc.nat(1_000),
      (naps, answers, seed) => {
        const bench = new ProbeBench(answersIn(40), seed);
        bench.observe(target("a"), target("b"));
        bench.run(1_000);
        for (const [pauseMs, napMs] of naps) {
          bench.run(pauseMs);
          bench.stall(napMs, answers);
          bench.run(napMs);
        }
        bench.run(1_000);
        assert.deepEqual(
          bench.verdicts.filter(({ state }) => state !== "reachable"),
          [],
        );
      },
    ),
  );
});

test("a nap after each probe, with every answer lost, is no reason to give a member up", () => {
  const bench = new ProbeBench(answersIn(40));
  bench.observe(target("a"));
  bench.run(1_000);
  for (let nap = 0; nap < 20; nap++) {
    const sent = bench.sends.length;
    bench.stall(600, "lost");
    bench.run(600);
    assert.ok(bench.sends.length > sent, "probed on waking");
  }
  assert.equal(bench.story(), "a reachable");
});

test("a death while we slept is seen after waking", () => {
  const bench = new ProbeBench((_, nowMs) => (nowMs < 1_000 ? { afterMs: 2 } : undefined));
  bench.observe(target("a"));
  bench.run(1_300);
  bench.stall(20_000);
  bench.run(20_000);
  const awakeMs = bench.nowMs;
  bench.run(3_000);
  const seenMs = (bench.saidAt("unreachable") as number) - awakeMs;
  assert.ok(seenMs >= 200 && seenMs <= 1_600, `${seenMs} ms`);
});

test("a machine that stalls again and again is more patient, and recovers", () => {
  const deathAfter = (stalls: number, calmMs: number): number => {
    let deadMs = Number.POSITIVE_INFINITY;
    const bench = new ProbeBench((_, nowMs) => (nowMs < deadMs ? { afterMs: 2 } : undefined));
    bench.observe(target("a"));
    bench.run(1_000);
    for (let stall = 0; stall < stalls; stall++) {
      bench.stall(600);
      bench.run(700);
    }
    bench.run(calmMs);
    deadMs = bench.nowMs;
    bench.run(5_000);
    return (bench.saidAt("unreachable") as number) - deadMs;
  };
  assert.ok(deathAfter(0, 0) <= 1_250);
  assert.ok(deathAfter(3, 0) >= 1_300);
  assert.ok(deathAfter(3, 30_000) <= 1_250);
});

test("a late answer takes back the misses up to its own round, and no later ones", () => {
  const bench = new ProbeBench(silence);
  bench.observe(target("a"));
  bench.run(5_000);
  const early = bench.sends.at(-6);
  const late = bench.sends.at(-1);
  assert.ok(early !== undefined && late !== undefined);
  const node = "a" as NodeId;
  assert.ok(bench.on({ kind: "answered", node, sequence: early.sequence, lagMs: 0 }));
  assert.equal(bench.story(), "a unreachable");
  assert.ok(!bench.on({ kind: "answered", node, sequence: early.sequence, lagMs: 0 }), "repeated");
  assert.ok(bench.on({ kind: "answered", node, sequence: late.sequence, lagMs: 0 }));
  assert.equal(bench.story(), "a unreachable, a reachable");
  assert.ok(!bench.on({ kind: "answered", node, sequence: 7, lagMs: 0 }), "never sent");
});

test("one address is probed while it answers; the others are found when it does not", () => {
  let working = "/2";
  const bench = new ProbeBench(({ address }) => (address === working ? { afterMs: 2 } : undefined));
  bench.observe(target("a", "/1", "/2", "/3", "/4", "/5"));
  bench.run(3_000);
  const calm = bench.sends.filter(({ atMs }) => atMs > 2_000);
  assert.deepEqual(new Set(calm.map(({ address }) => address)), new Set(["/2"]));
  assert.ok(calm.length <= 5);

  working = "/5";
  bench.run(3_000);
  assert.deepEqual(new Set(bench.sends.slice(-3).map(({ address }) => address)), new Set(["/5"]));
  assert.equal(bench.story(), "a reachable", "it moved to another listed address unnoticed");
});

test("a member that moved is followed to where its own probes come from", () => {
  let working = "/old";
  const bench = new ProbeBench(({ address }) => (address === working ? { afterMs: 2 } : undefined));
  bench.observe(target("a", "/old"));
  bench.run(2_000);
  working = "/new";
  bench.on({ kind: "heard", node: "a" as NodeId, address: "/new" });
  bench.run(2_000);
  assert.equal(bench.sends.at(-1)?.address, "/new");
  assert.equal(bench.story(), "a reachable");
});

test("a false sender address, as a replayed probe has, changes nothing", () => {
  const bench = new ProbeBench(({ address }) => (address === "/1" ? { afterMs: 2 } : undefined));
  bench.observe(target("a", "/1"));
  bench.run(1_000);
  for (let round = 0; round < 50; round++) {
    bench.on({ kind: "heard", node: "a" as NodeId, address: `/false/${round}` });
    bench.run(100);
  }
  assert.equal(bench.story(), "a reachable");
  assert.deepEqual(new Set(bench.sends.map(({ address }) => address)), new Set(["/1"]));
});

test("members are probed together, and a stray one joins the others in time", () => {
  const bench = new ProbeBench(answersIn(2));
  bench.observe(target("a"), target("b"), target("c"));
  bench.run(1_100);
  bench.hasten("b");
  bench.run(60_000);
  const before = bench.sends.length;
  bench.run(10_000);
  const later = bench.sends.slice(before);
  const moments = new Set(later.map(({ atMs }) => atMs));
  assert.equal(later.length, 3 * moments.size);
  assert.ok(moments.size >= 12 && moments.size <= 24, `${moments.size} turns`);
});

test("verdicts are repeated now and then, and cease with the observation", () => {
  const bench = new ProbeBench(answersIn(2));
  bench.observe(target("a"), target("b"));
  bench.run(60_000);
  const said = bench.verdicts.length;
  assert.ok(said >= 22 && said <= 26, `${said} verdicts`);
  bench.observe(target("b"));
  bench.run(60_000);
  const later = bench.verdicts.slice(said);
  assert.ok(later.length >= 10);
  assert.deepEqual(new Set(later.map(({ node }) => node)), new Set(["b"]));
});

test("observing the same again keeps what is known", () => {
  const bench = new ProbeBench(answersIn(2));
  bench.observe(target("a", "/1", "/2"));
  for (let second = 0; second < 10; second++) {
    bench.run(1_000);
    bench.observe(target("a", "/2", "/1"));
  }
  assert.equal(bench.verdicts.length, 2);
  assert.equal(new Set(bench.sends.slice(2).map(({ address }) => address)).size, 1);
});

test("a member without an address is neither probed nor judged", () => {
  const bench = new ProbeBench(silence);
  bench.observe({ node: "a" as NodeId, addresses: [], port: 1 });
  bench.run(10_000);
  assert.deepEqual([bench.sends, bench.verdicts], [[], []]);
});

test("time in which this thread did not run either is not lag", () => {
  const bench = new ProbeBench(silence);
  bench.run(10_000);
  assert.equal(bench.schedule.lagMs(9_950, 10_000), 50);
  assert.equal(bench.schedule.lagMs(6_000, 10_000), 4_000);
  assert.equal(bench.schedule.lagMs(9_950, 50_000), 0, "just woken");
  assert.equal(bench.schedule.lagMs(9_950, 50_080), 80);
});

const node = fc.constantFrom("a", "b", "c").map((name) => name as NodeId);
const anything: fc.Arbitrary<ProbeEvent> = fc.oneof(
  fc.record({
    kind: fc.constant("observe" as const),
    targets: fc.array(
      node.map((name) => target(name)),
      { maxLength: 4 },
    ),
  }),
  fc.record({ kind: fc.constant("hasten" as const), node }),
  fc.record({
    kind: fc.constant("answered" as const),
    node,
    sequence: fc.nat(2 ** 30),
    lagMs: fc.nat(10_000),
  }),
  fc.record({ kind: fc.constant("heard" as const), node, address: fc.string() }),
  fc.constant({ kind: "slept" as const }),
);

/** A schedule turns at least this often, ms, to see by its lateness that the machine stalled. */
const pulseMs = 500;

test("whatever happens, in whatever order: paced sends, and turns that do not pile up", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anything, fc.nat(600)), { maxLength: 60 }), (events) => {
      const bench = new ProbeBench(losing("x--x-"));
      for (const [event, pauseMs] of events) {
        bench.on(event);
        bench.run(pauseMs);
        assert.ok(bench.schedule.dueMs() <= bench.nowMs + pulseMs);
      }
      const hastened = events.filter(([event]) => event.kind === "hasten").length;
      const rounds =
        (3 * bench.nowMs) / (probeTimes.hastyIntervalMs - 1) + hastened + events.length;
      assert.ok(bench.sends.length <= 3 * rounds + 9);
      const sequences = new Set(bench.sends.map(({ sequence }) => sequence));
      assert.equal(sequences.size, bench.sends.length);
    }),
  );
});
