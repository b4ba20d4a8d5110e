import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { OperationError } from "../../model/problem.ts";
import { until } from "../until.ts";
import {
  admitAll,
  areLinked,
  deadlineMs,
  linkAll,
  maintainAll,
  newIdentity,
  newPair,
  openNode,
  openNodes,
  openPair,
} from "./links.ts";
import { openWire } from "./wire.ts";

test("nodes that know each other are linked, once, on both sides", async (t) => {
  const nodes = await openNodes(t, 4);
  await linkAll(nodes);
  for (const { id, events } of nodes) {
    const others = nodes.filter((one) => one.id !== id).map((one) => `up ${one.id}`);
    assert.deepEqual(events.toSorted(), others.sort());
  }
});

test("frames of every size up to the largest arrive whole and in order, both ways", async (t) => {
  const [a, b] = await openPair(t);
  const sizes = [1, 2, 1_000, 65_535, 65_536, 262_143, 262_145, 512 * 1024];
  const frames = sizes.map((size) => new Uint8Array(randomBytes(size)));
  for (const frame of frames) {
    a.link.send(b.id, frame);
    b.link.send(a.id, frame);
  }
  for (const [to, from] of [
    [a, b],
    [b, a],
  ] as const) {
    await until(() => to.heard.length === frames.length, deadlineMs, "all frames arrive");
    assert.deepEqual(
      to.heard,
      frames.map((frame) => ({ from: from.id, frame })),
    );
  }
  a.link.send(b.id, new Uint8Array(512 * 1024 + 1));
  assert.equal(a.link.counts().framesTooLong, 1);
});

test("a frame that is sent when the link is told of comes after the hello", async (t) => {
  const nodes = await openNodes(t, 2);
  for (const { link } of nodes) link.onLink((peer) => link.send(peer, Uint8Array.of(7)));
  await linkAll(nodes);
  await until(() => nodes.every(({ heard }) => heard.length === 1), deadlineMs, "both hear");
});

test("a broadcast reaches all that are linked, and goes nowhere else", async (t) => {
  const nodes = await openNodes(t, 4);
  const [sender, ...others] = nodes as [(typeof nodes)[0], ...typeof nodes];
  await linkAll(nodes);
  sender.link.broadcast(Uint8Array.of(1, 2, 3));
  await until(() => others.every(({ heard }) => heard.length === 1), deadlineMs, "all hear");
  assert.deepEqual(others[0]?.heard, [{ from: sender.id, frame: Uint8Array.of(1, 2, 3) }]);
  assert.equal(sender.heard.length, 0);
  assert.equal(sender.link.counts().broadcastsDirect, 1);
});

test("what is sent to nobody is counted and forgotten", async (t) => {
  const node = await openNode(t);
  node.link.send(newIdentity().id as never, Uint8Array.of(1));
  node.link.broadcast(Uint8Array.of(1));
  assert.equal(node.link.counts().framesUnlinked, 1);
});

test("when both dial at once, one connection is left, and the link never drops", async (t) => {
  for (let round = 0; round < 2; round++) {
    const nodes = await openNodes(t, 2);
    const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    admitAll(nodes);
    maintainAll(nodes);
    // Both open a stream before either is linked: both dial, whoever is the lower.
    for (const { link } of nodes) link.serve("/test/1", ["node"], () => {});
    const streams = await Promise.all([a.link.open(b.id, "/test/1"), b.link.open(a.id, "/test/1")]);
    for (const stream of streams) stream.destroy();
    await until(() => areLinked(nodes), deadlineMs, "linked");
    const count = () => nodes.map(({ link }) => link.counts().connections).join();
    await until(() => count() === "1,1", deadlineMs, "one connection is left");
    assert.deepEqual(a.events.concat(b.events), [`up ${b.id}`, `up ${a.id}`]);
    a.link.send(b.id, Uint8Array.of(1));
    await until(() => b.heard.length === 1, deadlineMs, "and it works");
  }
});

test("a link that is aborted is down at once on both sides, and up again within a second", async (t) => {
  const [a, b] = await openPair(t);
  b.link.abort(a.id);
  await until(() => b.events.length === 2 && a.events.length === 2, 500, "down on both sides");
  assert.equal(a.events[1], `down ${b.id}`);
  await until(() => areLinked([a, b]), 1_500, "up again");
});

for (const which of ["lower", "higher"] as const) {
  test(`a peer that restarts is linked again within a second, as the ${which} key`, async (t) => {
    const [low, high] = newPair();
    const [restarts, stays] = which === "lower" ? [low, high] : [high, low];
    const stayer = await openNode(t, { identity: stays });
    const first = await openNode(t, { identity: restarts });
    await linkAll([stayer, first]);
    const listen = first.link.listenAddresses();
    await first.link.close();
    await until(() => stayer.events.length === 2, 500, "its going is noticed");
    const second = await openNode(t, { identity: restarts, listen });
    const begunMs = performance.now();
    admitAll([stayer, second]);
    maintainAll([second, stayer]);
    await until(() => areLinked([stayer, second]), 2_000, "linked again");
    assert.ok(performance.now() - begunMs < 1_000, `${performance.now() - begunMs} ms`);
  });
}

test("a caller that lost its side is heard at once, though ours looks alive", async (t) => {
  const [low, high] = newPair();
  const lower = await openNode(t, { identity: low });
  const higher = await openNode(t, { identity: high });
  const wire = await openWire(t, higher.link.listenAddresses()[0] as string);
  admitAll([lower, higher]);
  lower.link.maintain([{ node: higher.id, addresses: [wire.address] }]);
  await until(() => areLinked([lower, higher]), deadlineMs, "linked");
  wire.stop();
  higher.link.abort(lower.id);
  higher.link.maintain([{ node: lower.id, addresses: lower.link.listenAddresses() }]);
  await until(() => areLinked([lower, higher]), deadlineMs, "the higher called again");
  lower.link.send(higher.id, Uint8Array.of(1));
  await until(() => higher.heard.length > 0, 1_000, "and hears us on the new connection");
  assert.deepEqual(lower.events, [`up ${higher.id}`]);
  await until(() => lower.link.counts().connections === 1, 2_000, "what it lost is gone");
});

test("the higher key dials when the lower one cannot", async (t) => {
  const [low, high] = newPair();
  const lower = await openNode(t, { identity: low });
  const higher = await openNode(t, { identity: high });
  admitAll([lower, higher]);
  lower.link.maintain([{ node: higher.id, addresses: ["/ip4/127.0.0.1/tcp/1"] }]);
  higher.link.maintain([{ node: lower.id, addresses: lower.link.listenAddresses() }]);
  await until(() => areLinked([lower, higher]), 2_000, "linked");
});

test("addresses that accept and say nothing do not hold up those behind them", async (t) => {
  const [low, high] = newPair();
  const lower = await openNode(t, { identity: low });
  const higher = await openNode(t, { identity: high });
  admitAll([lower, higher]);
  // On loopback, so that no test ever calls a stranger: a documentation range may be in use.
  const mute = await Promise.all([openMute(t), openMute(t), openMute(t)]);
  const addresses = [...mute, ...higher.link.listenAddresses()];
  const begunMs = performance.now();
  lower.link.maintain([{ node: higher.id, addresses }]);
  await until(() => areLinked([lower, higher]), deadlineMs, "linked");
  assert.ok(performance.now() - begunMs < 2_000, `${performance.now() - begunMs} ms`);
});

for (const which of ["lower", "higher"] as const) {
  test(`a peer that moves is linked again at its new address, as the ${which} key`, async (t) => {
    const [low, high] = newPair();
    const [moves, stays] = which === "lower" ? [low, high] : [high, low];
    const stayer = await openNode(t, { identity: stays });
    const before = await openNode(t, { identity: moves });
    await linkAll([stayer, before]);
    await before.link.close();
    const moved = await openNode(t, { identity: moves, listen: ["/ip4/127.0.0.2/tcp/0"] });
    moved.link.admit(new Set([stayer.id, moved.id]));
    // It does not call by itself: only the news of its address can bring them together.
    const addresses = moved.link.listenAddresses();
    assert.match(addresses[0] as string, /127\.0\.0\.2/);
    stayer.link.maintain([{ node: moved.id, addresses }]);
    await until(() => areLinked([stayer, moved]), 3_000, "linked again");
  });
}

test("a peer that called is called back where it listens, though nobody told where", async (t) => {
  const [low, high] = newPair();
  const lower = await openNode(t, { identity: low });
  const higher = await openNode(t, { identity: high });
  admitAll([lower, higher]);
  lower.link.maintain([{ node: higher.id, addresses: [] }]);
  higher.link.maintain([{ node: lower.id, addresses: lower.link.listenAddresses() }]);
  await until(() => areLinked([lower, higher]), deadlineMs, "linked by the higher");
  higher.link.maintain([]);
  higher.link.abort(lower.id);
  await until(() => lower.events.length === 3, deadlineMs, "down and up again");
  assert.equal(lower.link.counts().dials > 0, true);
});

test("no stream is opened to a node that nobody knows, or that does not answer", async (t) => {
  const [node] = await openNodes(t, 1);
  assert.ok(node !== undefined);
  const { id } = newIdentity();
  await assert.rejects(node.link.open(id, "/test/1"), isProblem("node-down"));
  node.link.admit(new Set([id as never]));
  await assert.rejects(node.link.open(id, "/test/1"), isProblem("node-down"));
  node.link.maintain([{ node: id as never, addresses: ["/ip4/127.0.0.1/tcp/1"] }]);
  await assert.rejects(node.link.open(id, "/test/1"), isProblem("peer-unreachable"));
  const signal = AbortSignal.abort(new Error("no longer wanted"));
  await assert.rejects(node.link.open(id, "/test/1", signal), /no longer wanted/);
});

test("a stream of a protocol that the peer does not have is a problem, not a hang", async (t) => {
  const [a, b] = await openPair(t);
  await assert.rejects(a.link.open(b.id, "/test/unknown/1"), isProblem("peer-unreachable"));
});

const unlistenable: [name: string, listen: (taken: string) => string, code: string][] = [
  ["a port in use", (taken) => taken, "port-in-use"],
  ["an address of another host", () => "/ip4/240.0.0.1/tcp/0", "argument-invalid"],
  ["no multiaddr", () => "0.0.0.0:7946", "argument-invalid"],
  ["a name", () => "/dns4/node.example/tcp/7946", "argument-invalid"],
];

for (const [name, listen, code] of unlistenable) {
  test(`listening on ${name} is the problem ${code}`, async (t) => {
    const holder = await openNode(t);
    const wish = listen(holder.link.listenAddresses()[0] as string);
    await assert.rejects(openNode(t, { listen: [wish] }), isProblem(code));
  });
}

/** Takes connections and never says a word. */
async function openMute(t: TestContext): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`;
}

function isProblem(code: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof OperationError, String(error));
    assert.equal(error.problems[0]?.code, code);
    return true;
  };
}
