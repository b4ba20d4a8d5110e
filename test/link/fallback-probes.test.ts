import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fallbackTimes } from "../../link/fallback-watch.ts";
import { FallbackBench } from "./fallback-bench.ts";

const linked: [name: string, script: string, story: string][] = [
  ["nothing is said before anything is known", "observe 400", ""],
  ["an answer over UDP is said", "observe udp+", "reachable"],
  ["a hung member is said", "observe udp+ udp-hung", "reachable hung"],
  [
    "UDP's silence is said at once where it worked",
    "observe udp+ silent udp-",
    "reachable unreachable",
  ],
  [
    "a stream that answers takes it back",
    "observe udp+ udp- 10",
    "reachable unreachable reachable",
  ],
  ["UDP that never worked makes nobody unreachable", "observe udp- 10", "reachable"],
  [
    "where it never worked, the stream's silence says so",
    "observe silent udp- 3000",
    "unreachable",
  ],
  ["and not too soon", "observe silent udp- 1900", ""],
  ["a member without UDP is asked over the stream", "observe-0 10", "reachable"],
  ["its death is seen within 3 s", "observe-0 10 silent 3000", "reachable unreachable"],
  ["and not before 2.5 s", "observe-0 10 silent 2400", "reachable"],
  ["four misses are taken back by an answer", "observe-0 10 silent 2400 answers 500", "reachable"],
  [
    "an end of the link is seen within 1 s",
    "observe-0 10 silent down 1000",
    "reachable unreachable",
  ],
  ["a link that is dialled again in time is none", "observe-0 300 down 400 up 4000", "reachable"],
  [
    "a question that was lost with its link is asked again",
    "observe-0 10 silent 700 down 200 answers up 4000",
    "reachable",
  ],
  [
    "a member that comes back is reachable",
    "observe-0 10 silent down 2000 answers up 10",
    "reachable unreachable reachable",
  ],
  [
    "a stream that breaks is a miss and is opened anew",
    "observe-0 10 breaks 2000 answers 500",
    "reachable",
  ],
  ["streams that always break are silence", "observe-0 10 breaks 3000", "reachable unreachable"],
  [
    "a stuck stream is replaced",
    "observe-0 10 silent 3000 answers 2500",
    "reachable unreachable reachable",
  ],
  ["UDP takes over when it answers", "observe udp- 10 udp+ 6000 silent 9000", "reachable"],
  [
    "and is trusted after answering for a while",
    "observe udp- 10 udp+ 6000 silent udp-",
    "reachable unreachable",
  ],
  ["but not before", "observe udp- 10 udp+ 4000 udp-", "reachable"],
  [
    "UDP that comes and goes makes nobody unreachable",
    "observe udp- 10 udp+ 3000 udp- 3000 udp+ 3000 udp- 3000",
    "reachable",
  ],
  [
    "UDP that a member has after all is trusted at its first answer",
    "observe-0 10 observe 100 udp+ 10 silent udp-",
    "reachable unreachable",
  ],
  [
    "old silence is forgotten with UDP's return, should UDP be taken away for good",
    "observe udp- 10 silent 3000 udp+ 6000 observe-0 1000 answers 500",
    "reachable unreachable reachable",
  ],
  [
    "a hung member is hung though its stream answers",
    "observe udp- 10 udp-hung 100",
    "reachable hung",
  ],
  ["whoever is no longer observed is not heard of", "observe-0 10 forget silent 9000", "reachable"],
];

const unlinked: typeof linked = [
  ["without a link UDP's silence is said at once", "observe udp-", "unreachable"],
  ["a link that comes up later is asked", "observe udp- up 10", "unreachable reachable"],
  ["without UDP and without a link nobody is reached", "observe-0 1000", "unreachable"],
  ["unless the link comes in time", "observe-0 400 up 5000", "reachable"],
];

for (const [cases, options] of [
  [linked, { linked: true }],
  [unlinked, { linked: false }],
] as const) {
  for (const [name, script, story] of cases) {
    test(name, () => assert.equal(new FallbackBench(options).play(script).story(), story));
  }
}

test("while UDP is trusted no stream is asked, and no timer runs", () => {
  const bench = new FallbackBench().play("observe udp+ 60000");
  assert.equal(bench.asked, 0);
  assert.equal(bench.clock.waiting, 0);
  bench.play("udp- 10 udp+ 6000");
  const { asked } = bench;
  assert.ok(asked > 5 && bench.dropped > 0);
  bench.play("60000");
  assert.equal(bench.asked, asked);
  assert.equal(bench.clock.waiting, 0);
});

test("a dead member without a link costs no timer", () => {
  const bench = new FallbackBench().play("observe udp+ udp- down 5000");
  assert.equal(bench.story(), "reachable unreachable");
  assert.equal(bench.clock.waiting, 0);
});

test("the stream of whoever is no longer observed is given up", () => {
  const bench = new FallbackBench().play("observe-0 10");
  assert.equal(bench.dropped, 0);
  assert.equal(bench.play("forget").dropped, 1);
});

test("without a UDP port of our own everyone is asked over streams", () => {
  const bench = new FallbackBench({ hasUdp: false }).play("observe 10");
  assert.equal(bench.story(), "reachable");
  bench.probes.beat();
  bench.play("silent 3000");
  assert.equal(bench.story(), "reachable unreachable");
});

test("members without UDP are not handed to UDP", () => {
  assert.equal(new FallbackBench().play("observe-0").udpTargets.length, 0);
  assert.equal(new FallbackBench().play("observe").udpTargets.length, 1);
});

test("what has not changed is said again every 5 s, by whichever way it is known", () => {
  const said = (script: string) => new FallbackBench().play(script).verdicts.length;
  assert.equal(said("observe-0 21000"), 5);
  assert.equal(said("observe udp+ udp+ udp+"), 3);
  // UDP's own repetitions of what the stream disproves are not passed on.
  assert.equal(said("observe udp- 10 udp- udp- udp-"), 1);
});

test("nothing is said, and nothing runs, after the end", () => {
  const bench = new FallbackBench().play("observe-0 10");
  bench.probes.close();
  assert.equal(bench.clock.waiting, 0);
  bench.play("silent udp- down up 9000");
  assert.equal(bench.story(), "reachable");
  assert.equal(bench.clock.waiting, 0);
});

const event = fc.constantFrom(
  ...["udp+", "udp-", "udp-hung", "up", "down", "answers", "silent", "breaks", "observe"],
  ...["observe-0", "forget", "100", "400", "700", "2000", "6000"],
);

test("whatever came before, a death of a member that UDP vouches for is said at once", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (before) => {
      const bench = new FallbackBench().play(["observe", ...before].join(" "));
      bench.play(`observe udp+ ${fallbackTimes.settleMs + fallbackTimes.turnMs} silent udp-`);
      assert.equal(bench.verdicts.at(-1)?.state, "unreachable");
    }),
  );
});

test("whatever came before, a linked member that answers by either way is reachable in the end", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.boolean(), (before, byUdp) => {
      const bench = new FallbackBench().play(["observe", ...before].join(" "));
      bench.play(byUdp ? "observe down silent udp+ 10" : "observe udp- up answers 5000");
      assert.equal(bench.verdicts.at(-1)?.state, "reachable");
    }),
  );
});

test("whatever came before, a member that is silent by every way is unreachable in the end", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.boolean(), (before, isLinked) => {
      const bench = new FallbackBench().play(["observe", ...before].join(" "));
      bench.play(`observe ${isLinked ? "up" : "down"} silent udp- 3000`);
      assert.equal(bench.verdicts.at(-1)?.state, "unreachable");
      const { asked } = bench;
      bench.play("60000");
      // One question in so many turns: a stuck stream is not flooded with them.
      assert.ok(bench.asked - asked <= 60_000 / 2_500 + 1, `${bench.asked - asked} questions`);
    }),
  );
});
