import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../model/ids.ts";
import { until } from "../until.ts";
import { admitAll, deadlineMs, linkAll, openNodes, openPair, type TestNode } from "./links.ts";

/** Broadcasts until all have heard one: a gossip mesh needs a moment after the links are up. */
async function broadcastUntilHeard(sender: TestNode, others: readonly TestNode[]): Promise<void> {
  let number = 0;
  await until(
    () => {
      number += 1;
      sender.link.broadcast(new TextEncoder().encode(`${sender.id} ${number}`));
      return others.every(({ heard }) => heard.some(isFrom(sender.id)));
    },
    deadlineMs,
    "all hear",
  );
}

function isFrom(author: NodeId) {
  return ({ frame }: { readonly frame: Uint8Array }) =>
    Buffer.from(frame).toString().startsWith(author);
}

async function gossiping(nodes: readonly TestNode[]): Promise<void> {
  await until(
    () => {
      for (const { link } of nodes) link.broadcast(Uint8Array.of(0, Math.random() * 256));
      return nodes.every(({ link }) => link.counts().broadcastsGossiped > 0);
    },
    deadlineMs,
    "all gossip",
  );
}

test("above the threshold broadcasts go by gossip, and each hears each", async (t) => {
  const nodes = await openNodes(t, 4, { directLinksMax: 2 });
  await linkAll(nodes);
  await gossiping(nodes);
  for (const sender of nodes) {
    await broadcastUntilHeard(
      sender,
      nodes.filter((one) => one !== sender),
    );
  }
});

test("a broadcast by gossip is heard once by each, from a node that is linked", async (t) => {
  const nodes = await openNodes(t, 5, { directLinksMax: 2 });
  const [sender, ...others] = nodes as [TestNode, ...TestNode[]];
  await linkAll(nodes);
  await gossiping(nodes);
  const frame = new Uint8Array(16 * 1024).fill(9);
  const count = ({ heard }: TestNode) => heard.filter((one) => one.frame.length === frame.length);
  sender.link.broadcast(frame);
  await until(() => others.every((one) => count(one).length > 0), deadlineMs, "all hear");
  // Copies would be on their way at the same time; a round of another frame comes after them.
  await broadcastUntilHeard(sender, others);
  for (const node of others) {
    const [first, ...more] = count(node);
    assert.deepEqual(more, []);
    assert.deepEqual(first?.frame, frame);
    assert.ok(node.link.linked().includes(first.from));
  }
  assert.deepEqual(count(sender), []);
});

test("below the threshold no gossip stream is opened", async (t) => {
  const nodes = await openNodes(t, 3, { directLinksMax: 3 });
  await linkAll(nodes);
  for (const { link } of nodes) link.broadcast(Uint8Array.of(1));
  await until(() => nodes.every(({ heard }) => heard.length === 2), deadlineMs, "all hear");
  for (const { link } of nodes) {
    const { broadcastsDirect, broadcastsGossiped, gossipStreams } = link.counts();
    assert.deepEqual([broadcastsDirect, broadcastsGossiped, gossipStreams], [1, 0, 0]);
  }
});

test("more than ten peers behind one address are not deaf to each other", async (t) => {
  const nodes = await openNodes(t, 13, { directLinksMax: 2 });
  const [sender, ...others] = nodes as [TestNode, ...TestNode[]];
  await linkAll(nodes);
  await gossiping(nodes);
  await broadcastUntilHeard(sender, others);
  const last = others.at(-1) as TestNode;
  await broadcastUntilHeard(
    last,
    nodes.filter((one) => one !== last),
  );
});

test("who has few links hears those who have many, and they hear it", async (t) => {
  const nodes = await openNodes(t, 4, { directLinksMax: 2 });
  const [hub, leaf] = nodes as [TestNode, TestNode, ...TestNode[]];
  admitAll(nodes);
  const addresses = hub.link.listenAddresses();
  for (const { link } of nodes) link.maintain([{ node: hub.id, addresses }]);
  await until(() => hub.link.linked().length === 3, deadlineMs, "all are linked to the hub");
  await gossiping([hub]);
  await broadcastUntilHeard(hub, nodes.slice(1));
  await broadcastUntilHeard(leaf, [hub]);
  assert.equal(leaf.link.counts().broadcastsGossiped, 0);
});

test("a node that comes back after its links dropped is heard by gossip again", async (t) => {
  const nodes = await openNodes(t, 4, { directLinksMax: 2 });
  const [gone, ...others] = nodes as [TestNode, ...TestNode[]];
  await linkAll(nodes);
  await gossiping(nodes);
  for (const { link } of others) link.abort(gone.id);
  await until(() => gone.events.length === 6, deadlineMs, "its links are down");
  await until(() => gone.link.linked().length === 3, deadlineMs, "and up again");
  for (const node of nodes) node.heard.length = 0;
  await gossiping(nodes);
  await broadcastUntilHeard(gone, others);
  await broadcastUntilHeard(others[0] as TestNode, [gone]);
});

test("a frame that is too long is not gossiped", async (t) => {
  const [a] = await openPair(t, { directLinksMax: 0, frameBytesMax: 1_000 });
  a.link.broadcast(new Uint8Array(1_001));
  assert.equal(a.link.counts().framesTooLong, 1);
});
