import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { advance, compareStamps, observe, type Stamp } from "../../crdt/stamp.ts";

// Few of each, so that ties are the rule rather than the exception.
const stamp = fc.record({
  generation: fc.nat(2),
  timeMs: fc.nat(2),
  counter: fc.nat(2),
  writer: fc.constantFrom("a", "b", "B", "aa"),
});
const time = fc.record({ timeMs: fc.nat(3), counter: fc.nat(3) });

test("stamps are in one total order", () => {
  fc.assert(
    fc.property(stamp, stamp, stamp, (a, b, c) => {
      assert.ok(Math.sign(compareStamps(a, b)) + Math.sign(compareStamps(b, a)) === 0);
      if (compareStamps(a, b) <= 0 && compareStamps(b, c) <= 0) assert.ok(compareStamps(a, c) <= 0);
    }),
    { numRuns: 5000 },
  );
});

test("only a stamp itself is as new as it is: two writers never tie", () => {
  fc.assert(
    fc.property(stamp, stamp, (a, b) => {
      const isSame = JSON.stringify(a) === JSON.stringify(b);
      assert.equal(compareStamps(a, b) === 0, isSame);
    }),
    { numRuns: 5000 },
  );
});

const order: readonly [older: string, newer: string, why: string][] = [
  ["1 9 9 z", "2 0 0 a", "generation comes before any clock"],
  ["1 1 9 z", "1 2 0 a", "then time"],
  ["1 1 1 z", "1 1 2 a", "then the counter"],
  ["1 1 1 a", "1 1 1 b", "then the writer"],
  ["1 1 1 B", "1 1 1 a", "by code unit, in no one's language"],
];

for (const [older, newer, why] of order) {
  test(`${why}: ${older} is older than ${newer}`, () => {
    assert.ok(compareStamps(read(older), read(newer)) < 0);
    assert.ok(compareStamps(read(newer), read(older)) > 0);
  });
}

function read(text: string): Stamp {
  const [generation, timeMs, counter, writer] = text.split(" ");
  return {
    generation: Number(generation),
    timeMs: Number(timeMs),
    counter: Number(counter),
    writer: writer as string,
  };
}

test("time moves on with every write, however the clock is set", () => {
  fc.assert(
    fc.property(time, fc.array(fc.nat(6), { minLength: 1 }), (start, clock) => {
      let last = start;
      for (const wallMs of clock) {
        const next = advance(last, wallMs);
        assert.ok(next.timeMs > last.timeMs || next.counter > last.counter);
        assert.ok(next.timeMs >= last.timeMs && next.timeMs >= wallMs);
        last = next;
      }
    }),
  );
});

test("a write is stamped after everything that was seen", () => {
  fc.assert(
    fc.property(fc.array(time), fc.nat(3), (seen, wallMs) => {
      const last = seen.reduce(observe, { timeMs: 0, counter: 0 });
      const next = { ...advance(last, wallMs), generation: 0, writer: "" };
      for (const one of seen) {
        assert.ok(compareStamps(next, { ...one, generation: 0, writer: "" }) > 0);
      }
    }),
  );
});

test("the greatest of times does not depend on the order in which they are seen", () => {
  fc.assert(
    fc.property(fc.array(time, { minLength: 1 }), (seen) => {
      const start = { timeMs: 0, counter: 0 };
      const [forth, back] = [seen.reduce(observe, start), seen.toReversed().reduce(observe, start)];
      assert.deepEqual({ ...forth }, { ...back });
    }),
  );
});
