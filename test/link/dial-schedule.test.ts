import assert from "node:assert/strict";
import { test } from "node:test";
import { DialSchedule } from "../../link/dial-schedule.ts";
import type { NodeId } from "../../model/ids.ts";
import { newPair } from "./links.ts";

const [lower, higher] = newPair().map(({ id }) => id as NodeId) as [NodeId, NodeId];
const address = "/ip4/10.0.0.1/tcp/1";

/** Dice that always fall on `share` of what is possible. */
function schedule(self: NodeId, share = 0): DialSchedule {
  return new DialSchedule(self, { below: (bound) => Math.floor(share * (bound - 1)) });
}

/** When a peer that never answers is dialled, in ms from the start. */
function dialsOf(one: DialSchedule, node: NodeId, untilMs: number, dialMs = 0): number[] {
  const times: number[] = [];
  for (;;) {
    const dueMs = one.nextDueMs();
    if (dueMs === undefined || dueMs > untilMs) return times;
    assert.deepEqual(one.due(dueMs), [node]);
    times.push(dueMs);
    one.begin(node);
    one.end(node, undefined, dueMs + dialMs);
  }
}

test("the lower key dials at once, the higher after a while", () => {
  const ours = schedule(lower, 1);
  ours.maintain([{ node: higher, addresses: [address] }], 0);
  assert.ok((ours.nextDueMs() as number) <= 50);
  const theirs = schedule(higher, 1);
  theirs.maintain([{ node: lower, addresses: [address] }], 0);
  const due = theirs.nextDueMs() as number;
  assert.ok(due >= 400 && due <= 500, `${due}`);
});

test("a peer that does not answer is tried quickly at first and for ever once a second", () => {
  const one = schedule(lower, 0.5);
  one.maintain([{ node: higher, addresses: [address] }], 0);
  const times = dialsOf(one, higher, 60 * 60_000);
  assert.ok(times.filter((at) => at < 1_000).length >= 4);
  const gaps = times.slice(1).map((at, index) => at - (times[index] as number));
  assert.ok(Math.max(...gaps) <= 1_250);
  assert.ok(times.length > 3_000);
});

test("many peers that do not answer share one rate, and are all tried", () => {
  const one = schedule(lower, 0.5);
  const peers = Array.from({ length: 200 }, (_, index) => `${higher}${index}` as NodeId);
  one.maintain(
    peers.map((node) => ({ node, addresses: [address] })),
    0,
  );
  const counts = new Map<NodeId, number>();
  for (let nowMs = 0; nowMs < 120_000; nowMs += 50) {
    for (const node of one.due(nowMs)) {
      counts.set(node, (counts.get(node) ?? 0) + 1);
      one.begin(node);
      one.end(node, undefined, nowMs);
    }
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  assert.ok(total < 120 * 20 * 2, `${total} dials`);
  assert.ok(peers.every((node) => (counts.get(node) ?? 0) > 5));
});

test("the first link that comes back brings the others forward", () => {
  const one = schedule(lower, 1);
  const peers = Array.from({ length: 100 }, (_, index) => `${higher}${index}` as NodeId);
  one.maintain(
    peers.map((node) => ({ node, addresses: [address] })),
    0,
  );
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
    for (const node of one.due(nowMs)) {
      one.begin(node);
      one.end(node, undefined, nowMs);
    }
  }
  assert.ok(one.due(60_300).length < 30);
  one.linkUp(peers[0] as NodeId, 60_000);
  assert.equal(one.due(60_300).length, 99);
});

test("a lost link is dialled at once, one that keeps dropping ever more slowly", () => {
  const one = schedule(lower, 0);
  one.maintain([{ node: higher, addresses: [address] }], 0);
  one.linkUp(higher, 0);
  assert.equal(one.nextDueMs(), undefined);
  one.linkDown(higher, 10_000);
  assert.equal(one.nextDueMs(), 10_000);
  let nowMs = 10_000;
  for (let turn = 0; turn < 6; turn++) {
    one.linkUp(higher, nowMs);
    one.linkDown(higher, nowMs + 10);
    nowMs = one.nextDueMs() as number;
  }
  assert.ok(nowMs > 11_500, `${nowMs}`);
});

test("addresses are tried in the order: what worked, what is told, what was learnt", () => {
  const one = schedule(lower);
  const told = ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"];
  one.maintain([{ node: higher, addresses: told }], 0);
  one.learn(higher, "/ip4/10.0.0.3/tcp/1", 0);
  one.learn(higher, `/ip4/10.0.0.4/tcp/1/p2p/${higher}`, 0);
  one.end(higher, told[1], 0);
  assert.deepEqual(
    one.addresses(higher).map((text) => text.split("/")[2]),
    ["10.0.0.2", "10.0.0.1", "10.0.0.4", "10.0.0.3"],
  );
});

const useless: [name: string, address: string][] = [
  ["no multiaddr", "10.0.0.1:7946"],
  ["one of UDP", "/ip4/10.0.0.1/udp/1"],
  ["another peer's", `/ip4/10.0.0.1/tcp/1/p2p/${lower}`],
];

for (const [name, text] of useless) {
  test(`an address that is ${name} is left out`, () => {
    const one = schedule(lower);
    one.maintain([{ node: higher, addresses: [text] }], 0);
    one.learn(higher, text, 0);
    assert.deepEqual(one.addresses(higher), []);
    assert.equal(one.nextDueMs(), undefined);
  });
}

test("what is learnt is bounded, and the newest is kept", () => {
  const one = schedule(lower);
  for (let host = 1; host <= 100; host++) one.learn(higher, `/ip4/10.0.0.${host}/tcp/1`, 0);
  assert.equal(one.addresses(higher).length, 8);
  assert.equal(one.addresses(higher)[0], "/ip4/10.0.0.100/tcp/1");
});

test("a new address is tried soon, though the old ones have been silent for long", () => {
  const one = schedule(lower, 1);
  const node = higher;
  one.maintain([{ node, addresses: [address] }], 0);
  dialsOf(one, node, 60_000);
  one.maintain([{ node, addresses: [address, "/ip4/10.0.0.9/tcp/1"] }], 60_000);
  assert.ok((one.nextDueMs() as number) <= 60_300);
});

test("who is no longer wanted is no longer dialled", () => {
  const one = schedule(lower);
  one.maintain([{ node: higher, addresses: [address] }], 0);
  one.maintain([], 0);
  assert.equal(one.nextDueMs(), undefined);
  one.learn(higher, "/ip4/10.0.0.3/tcp/1", 0);
  assert.equal(one.nextDueMs(), undefined);
});
