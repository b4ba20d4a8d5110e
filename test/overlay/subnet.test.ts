import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../model/ids.ts";
import { claimSubnet, gatewayOf } from "../../overlay/subnet.ts";

const [a, b, c] = ["node-a", "node-b", "node-c"] as [NodeId, NodeId, NodeId];

function claims(...entries: [NodeId, string][]): ReadonlyMap<NodeId, string> {
  return new Map(entries);
}

test("a node keeps the subnet that it has", () => {
  assert.equal(claimSubnet(b, claims([b, "10.210.7.0/24"], [a, "10.210.8.0/24"])), "10.210.7.0/24");
});

test("of two that claim the same, the lower id keeps it and the other looks on", () => {
  const both = claims([a, "10.210.7.0/24"], [b, "10.210.7.0/24"]);
  assert.equal(claimSubnet(a, both), "10.210.7.0/24");
  assert.notEqual(claimSubnet(b, both), "10.210.7.0/24");
});

test("a wider claim of a lower id covers the subnets inside it", () => {
  const wide = claims([a, "10.210.0.0/20"], [b, "10.210.7.0/24"]);
  const moved = claimSubnet(b, wide);
  assert.ok(Number(moved.split(".")[2]) >= 16, moved);
});

test("a claim outside the pool, or of another size, is given up", () => {
  for (const old of ["10.99.1.0/24", "10.210.0.0/20", "10.210.7.1/24", "nonsense", ""]) {
    assert.match(claimSubnet(c, claims([c, old])), /^10\.210\.\d+\.0\/24$/, old);
  }
});

test("a full pool leaves nothing to claim", () => {
  const full = claims([a, "10.0.0.0/31"], [b, "10.0.0.2/31"]);
  assert.equal(claimSubnet(c, full, "10.0.0.0/30", 30), "");
});

test("claims that nobody can read are no claims and never throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.match(claimSubnet(b, claims([a, text])), /^10\.210\.\d+\.0\/24$/);
    }),
  );
});

test("200 nodes that claim at once agree on distinct subnets within a few rounds", () => {
  const nodes = Array.from({ length: 200 }, (_, index) => `12D3KooW${index}` as NodeId);
  let held = new Map<NodeId, string>();
  let rounds = 0;
  for (; rounds < 20; rounds++) {
    const next = new Map(nodes.map((node) => [node, claimSubnet(node, held)]));
    const settled = nodes.every((node) => next.get(node) === held.get(node));
    held = next;
    if (settled) break;
  }
  assert.equal(new Set(held.values()).size, nodes.length);
  assert.ok(rounds < 15, `took ${rounds} rounds`);
});

test("the gateway is the first address of the subnet", () => {
  assert.equal(gatewayOf("10.210.7.0/24"), "10.210.7.1");
  assert.equal(gatewayOf(""), undefined);
});
