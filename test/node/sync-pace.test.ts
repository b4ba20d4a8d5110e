import assert from "node:assert/strict";
import { test } from "node:test";
import { defaults } from "../../node/config.ts";
import { SyncPace } from "../../node/sync-pace.ts";

/** Dice in the middle: no jitter. */
const dice = 256;

function moment(monotonicMs: number) {
  return { monotonicMs, wallMs: 0, dice };
}

test("comparisons grow rare while all is equal and quiet, up to the most that is allowed", () => {
  const pace = new SyncPace(defaults);
  let nowMs = pace.first(moment(0));
  const delays: number[] = [];
  for (let round = 0; round < 10; round++) {
    const delayMs = pace.next(0, moment(nowMs));
    delays.push(delayMs);
    nowMs += delayMs;
  }
  assert.deepEqual(delays.slice(0, 3), [1_500, 2_250, 3_375]);
  assert.equal(delays.at(-1), defaults.syncMaxMs);
});

test("one comparison that differs makes the next one soon", () => {
  const pace = new SyncPace(defaults);
  let nowMs = 0;
  for (let round = 0; round < 10; round++) nowMs += pace.next(0, moment(nowMs));
  // Nobody was equal since the round before.
  assert.equal(pace.next(20_000, moment(nowMs)), defaults.syncMinMs);
});

test("a change brings the next comparison near, and many changes do not put it off", () => {
  const pace = new SyncPace(defaults);
  let roundMs = 0;
  for (let round = 0; round < 10; round++) roundMs += pace.next(0, moment(roundMs));
  pace.next(0, moment(roundMs));
  assert.equal(pace.stir(moment(roundMs + 1)), defaults.syncMinMs);
  for (let later = 100; later < 1_000; later += 100) {
    assert.equal(pace.stir(moment(roundMs + later)), undefined);
  }
});
