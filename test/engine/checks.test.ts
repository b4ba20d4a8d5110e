import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { begin, type CheckState, conclude, judge, nextDelayMs } from "../../engine/checks.ts";
import { newCheck } from "./orders.ts";

const tcp = { kind: "tcp", port: 80 } as const;

/** "+" and "-" are results, one each 100 ms from 100 on; the answer is the standing after each. */
const cases: [name: string, check: object, results: string, standings: string][] = [
  ["one success is enough", { retries: 3 }, "+", "+"],
  [
    "before the first success a failure counts once an interval",
    { intervalMs: 200, retries: 2 },
    "-----",
    "???--",
  ],
  [
    "an eager check counts no faster than its interval",
    { intervalMs: 300, retries: 2 },
    "------",
    "?????-",
  ],
  [
    "failures within the start period do not count",
    { intervalMs: 100, retries: 1, startPeriodMs: 300 },
    "-----",
    "???--",
  ],
  [
    "a success ends the start period",
    { intervalMs: 100, retries: 1, startPeriodMs: 300 },
    "+-",
    "+-",
  ],
  ["after a success every failure counts", { intervalMs: 500, retries: 2 }, "+-+--", "++++-"],
  ["one success makes it well again", { intervalMs: 100, retries: 1 }, "+-+", "+-+"],
  ["a success forgets the failures before it", { intervalMs: 100, retries: 3 }, "+--+--", "++++++"],
];

for (const [name, check, results, standings] of cases) {
  test(`judge: ${name}`, () => {
    assert.equal(
      walk(newCheck(tcp, { intervalMs: 100, retries: 1, ...check }), results),
      standings,
    );
  });
}

function walk(check: ReturnType<typeof newCheck>, results: string): string {
  let state = begin(0);
  return [...results]
    .map((result, index) => {
      state = judge(state, check, result === "+", (index + 1) * 100);
      return { untold: "?", passing: "+", failing: "-" }[state.standing];
    })
    .join("");
}

test("a task found running has its checks count from then on", () => {
  const check = newCheck(tcp, { intervalMs: 100, retries: 1 });
  const found = begin(1_000_000);
  assert.equal(judge(found, check, false, 1_000_010).standing, "untold");
  assert.equal(judge(found, check, false, 1_000_100).standing, "failing");
});

test("nothing fails before its retries have had their intervals, however often it is asked", () => {
  const law = fc.property(
    fc.record({
      intervalMs: fc.integer({ min: 10, max: 1_000 }),
      retries: fc.integer({ min: 1, max: 5 }),
      startPeriodMs: fc.integer({ min: 0, max: 2_000 }),
    }),
    fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 100 }),
    (times, steps) => {
      const check = newCheck(tcp, times);
      let state = begin(0);
      let ageMs = 0;
      for (const step of steps) {
        ageMs += step;
        state = judge(state, check, false, ageMs);
        const patienceMs = times.startPeriodMs + times.retries * times.intervalMs;
        if (ageMs < patienceMs) assert.equal(state.standing, "untold");
      }
    },
  );
  fc.assert(law);
});

test("asked when due, a check that always fails has failed within twice its patience", () => {
  const law = fc.property(
    fc.integer({ min: 10, max: 30_000 }),
    fc.integer({ min: 1, max: 5 }),
    (intervalMs, retries) => {
      const check = newCheck(tcp, { intervalMs, retries });
      let state = begin(0);
      let ageMs = 0;
      for (let asked = 0; state.standing === "untold"; asked++) {
        assert.ok(asked < 200, "asked too often");
        state = judge(state, check, false, ageMs);
        ageMs += nextDelayMs(state, check, ageMs);
      }
      assert.ok(ageMs <= 2 * retries * intervalMs + intervalMs + 100);
    },
  );
  fc.assert(law);
});

const delays: [name: string, state: Partial<CheckState>, ageMs: number, delayMs: number][] = [
  ["at once again at first", {}, 0, 100],
  ["later the longer it takes", {}, 8_000, 2_000],
  ["no later than the interval", {}, 1_000_000, 5_000],
  ["by the interval once it passes", { standing: "passing" }, 10, 5_000],
  ["by the interval once it fails", { standing: "failing" }, 10, 5_000],
  ["eagerly for what was found running", { begunMs: 900_000 }, 900_000, 100],
];

for (const [name, state, ageMs, delayMs] of delays) {
  test(`a check is made ${name}`, () => {
    const check = newCheck(tcp, { intervalMs: 5_000 });
    assert.equal(nextDelayMs({ ...begin(0), ...state }, check, ageMs), delayMs);
  });
}

test("a check is never made less often than its interval says", () => {
  assert.equal(nextDelayMs(begin(0), newCheck(tcp, { intervalMs: 50 }), 0), 50);
});

// "liveness readiness engine ports": "." is none, "?" untold or starting, "+" well, "-" not.
const verdicts: [given: string, health: string, ready: boolean][] = [
  [". . . +", "none", true],
  [". . . -", "none", false],
  ["? . . +", "starting", false],
  ["+ . . +", "healthy", true],
  ["- . . +", "unhealthy", false],
  ["+ ? . +", "healthy", false],
  ["+ - . +", "healthy", false],
  ["+ + . +", "healthy", true],
  ["- + . +", "unhealthy", false],
  [". . ? +", "starting", false],
  [". . + +", "healthy", true],
  ["? . + +", "healthy", true],
  ["+ . ? +", "healthy", true],
  ["+ . - +", "unhealthy", false],
];

for (const [given, health, ready] of verdicts) {
  test(`conclude: ${given} is ${health}, ${ready ? "" : "not "}ready`, () => {
    const [liveness, readiness, engine, ports] = given.split(" ") as [
      string,
      string,
      string,
      string,
    ];
    const verdict = conclude({
      liveness: stateOf(liveness),
      readiness: stateOf(readiness),
      engineHealth: ({ ".": "none", "?": "starting", "+": "healthy", "-": "unhealthy" } as const)[
        engine as "."
      ],
      portsOpen: ports === "+",
    });
    assert.deepEqual(verdict, { health, ready });
  });
}

function stateOf(mark: string): CheckState | undefined {
  if (mark === ".") return undefined;
  const standing = mark === "?" ? "untold" : mark === "+" ? "passing" : "failing";
  return { ...begin(0), standing };
}
