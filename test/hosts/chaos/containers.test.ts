/** Containers that are missing, surplus or started anew are found. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeshView } from "../../../model/view.ts";
import { type Container, differences, restarted } from "./containers.ts";
import type { Fault } from "./plan.ts";

/** `x@1:5`: the container x on host 1, started at 5. */
function list(text: string): Container[] {
  return text.split(" ").flatMap((word) => {
    const [, id, host, startedAt] = /^(\w+)@(\d):(\d+)$/.exec(word) ?? [];
    if (id === undefined || startedAt === undefined) return [];
    return [{ id, host: Number(host), service: "shop/web", startedAt }];
  });
}

const cable: Fault = { kind: "cable", host: 1 };
const power: Fault = { kind: "power", host: 1 };
const cases: [name: string, fault: Fault, before: string, after: string, found: number][] = [
  ["all run on", cable, "x@1:5 y@2:6", "x@1:5 y@2:6", 0],
  ["one more is there", cable, "x@1:5", "x@1:5 z@3:9", 0],
  ["one is gone", cable, "x@1:5 y@2:6", "y@2:6 z@3:9", 1],
  ["one was started anew", cable, "x@1:5 y@2:6", "x@1:5 y@2:8", 1],
  ["a power cut ends its host's", power, "x@1:5 y@2:6", "y@2:6 z@3:9", 0],
  ["a power cut ends another host's", power, "x@1:5 y@2:6", "z@3:9", 1],
];

for (const [name, fault, before, after, found] of cases) {
  test(`${name}: ${found === 0 ? "nothing" : "a restart"} is found`, () => {
    assert.equal(restarted([fault], list(before), list(after)).length, found);
  });
}

test("wanted is running only when neither fewer nor more run, all ready, of one revision", () => {
  const settled = { service: "shop/web", replicas: 2, ready: 2, updated: 2 };
  const view = (change: object, state = "completed") => {
    const update = { state, message: "" };
    return { services: [{ ...settled, ...change, update }] } as unknown as MeshView;
  };
  const two = list("x@1:5 y@2:6");
  assert.deepEqual(differences(view({}), two), []);
  assert.equal(differences(view({}), list("x@1:5")).length, 1);
  assert.equal(differences(view({}), list("x@1:5 y@2:6 z@3:7")).length, 1);
  assert.equal(differences(view({ ready: 1 }), two).length, 1);
  assert.equal(differences(view({ updated: 1 }), two).length, 1);
  assert.equal(differences(view({}, "paused"), two).length, 1);
});
