import assert from "node:assert/strict";
import { test } from "node:test";
import { awaitNetwork } from "../../node/network-gate.ts";
import type { Engine, StartOrder } from "../../ports.ts";

test("no container starts before its network is there, unless that takes too long", () => {
  const started: string[] = [];
  const engine = { kind: "docker", start: ({ task }: StartOrder) => started.push(task) };
  let nowMs = 0;
  const gate = awaitNetwork(engine as unknown as Engine, { monotonicMs: () => nowMs });
  const order = (task: string, subnet: string) => ({ task, subnet }) as StartOrder;
  gate.start(order("early", ""));
  gate.start(order("placed", "10.210.1.0/24"));
  nowMs = 10_000;
  gate.start(order("late", ""));
  assert.deepEqual(started, ["placed", "late"]);
});
