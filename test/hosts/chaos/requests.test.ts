/** A fault excuses the requests that it broke, and none besides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../load.ts";
import type { Fault } from "./plan.ts";
import { judge, type Trouble } from "./requests.ts";

const addresses = new Map([1, 2, 3].map((host) => [host, `10.0.0.${host}`]));

/** Begun at 10 s, undone at 20 s, whole again at 22 s. */
function trouble(fault: Fault): Trouble {
  return { fault, fromMs: 10_000, undoneMs: 20_000, wholeMs: 22_000 };
}

function failure(host: number, atMs: number, tookMs: number, open: boolean): Answer {
  return { url: `http://10.0.0.${host}:80/`, atMs, tookMs, open, error: "reset" };
}

const power: Fault = { kind: "power", host: 1 };
const cut: Fault = { kind: "cut", from: 1, to: 2 };
const split: Fault = { kind: "split", pair: [1, 2] };
const loss: Fault = { kind: "loss", host: 1, percent: 5 };
const engine: Fault = { kind: "engine", host: 1 };
const disk: Fault = { kind: "disk", host: 1 };

const cases: [name: string, fault: Fault, failed: Answer, excused: boolean][] = [
  ["sent to a host that is off", power, failure(1, 15_000, 3_000, false), true],
  ["sent to it before it was off, and over by then", power, failure(1, 9_000, 500, true), false],
  ["sent to it, on its way when it went", power, failure(1, 9_900, 500, true), true],
  ["sent to it while it comes back", power, failure(1, 21_000, 100, false), true],
  ["sent to it once all is whole", power, failure(1, 22_100, 100, true), false],
  [
    "open elsewhere, until routes have dropped the host",
    power,
    failure(2, 11_400, 100, true),
    true,
  ],
  ["open elsewhere, later", power, failure(2, 11_600, 100, true), false],
  ["refused elsewhere", power, failure(2, 10_100, 100, false), false],
  ["open at an end of a cut", cut, failure(1, 10_500, 3_000, true), true],
  ["refused at an end of a cut", cut, failure(1, 10_500, 10, false), false],
  ["open at an end of a cut, later", cut, failure(2, 15_000, 3_000, true), false],
  ["open on one side of a split", split, failure(3, 10_500, 3_000, true), true],
  ["sent to the lesser side of a split, later", split, failure(1, 15_000, 3_000, true), false],
  ["sent over a lossy cable", loss, failure(1, 15_000, 8_000, false), true],
  ["sent over a good cable", loss, failure(2, 15_000, 8_000, true), false],
  ["open when an engine is killed", engine, failure(1, 10_100, 100, true), false],
  ["open when an engine starts again", engine, failure(2, 20_100, 100, true), true],
  ["open when a disk is full", disk, failure(1, 10_100, 100, true), false],
];

for (const [name, fault, failed, excused] of cases) {
  test(`a request ${name}, is ${excused ? "excused" : "not excused"} by ${fault.kind}`, () => {
    const { there, elsewhere, unexcused } = judge([failed], [trouble(fault)], addresses);
    assert.deepEqual(unexcused, excused ? [] : [failed]);
    assert.equal(there + elsewhere, excused ? 1 : 0);
  });
}

test("without a fault, nothing excuses a failure", () => {
  const failed = failure(1, 1_000, 10, true);
  assert.deepEqual(judge([failed], [], addresses).unexcused, [failed]);
});
