import assert from "node:assert/strict";
import { test } from "node:test";
import { ClockGuard } from "../../gossip/clock-guard.ts";
import type { NodeId } from "../../model/ids.ts";

const wallMs = 1_767_225_600_000;

function moment(monotonicMs: number, offsetMs = 0) {
  return { monotonicMs, wallMs: wallMs + monotonicMs + offsetMs, dice: 0 };
}

/** A guard that heard these clocks, each so far ahead of a right one, when its own was right. */
function guard(...offsets: readonly number[]): ClockGuard {
  const heard = new ClockGuard();
  offsets.forEach((offsetMs, index) => {
    heard.hear(`n${index}` as NodeId, wallMs + offsetMs, moment(0));
  });
  return heard;
}

test("a jump of our own clock is noticed at once, whenever peers were heard last", () => {
  const clocks = guard(0, 0, 0);
  assert.deepEqual(clocks.refusals(moment(30_000)), []);
  assert.deepEqual(clocks.refusals(moment(30_000, 3_600_000)), [
    { code: "clock-skewed", offsetMs: 3_600_000, limitMs: 500 },
  ]);
  assert.deepEqual(clocks.refusals(moment(30_001)), []);
});

test("one wrong clock among peers refuses nothing here", () => {
  assert.deepEqual(guard(0, 0, 3_600_000).refusals(moment(1_000)), []);
});

test("of two clocks the one ahead yields", () => {
  assert.equal(guard(-900).refusals(moment(1_000)).length, 1);
  assert.equal(guard(900).refusals(moment(1_000)).length, 0);
});

test("a time that a wrong clock left far ahead is not followed", () => {
  const clocks = guard(0);
  const near = { timeMs: wallMs + 2_500, counter: 3 };
  assert.deepEqual(clocks.toPass(near, moment(1_000)), near);
  const far = { timeMs: wallMs + 3_600_000, counter: 3 };
  assert.deepEqual(clocks.toPass(far, moment(1_000)), { timeMs: 0, counter: 0 });
});
