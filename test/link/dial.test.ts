import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { dialPeer } from "../../link/dial.ts";
import { protocols } from "../../link/streams.ts";
import { OperationError } from "../../model/problem.ts";
import { until } from "../until.ts";
import {
  deadlineMs,
  fullAddress,
  meshSecret,
  newIdentity,
  openNode,
  type TestNode,
} from "./links.ts";

const secret = meshSecret;
const person = newIdentity();

async function openHost(t: TestContext): Promise<TestNode> {
  const node = await openNode(t);
  node.link.admitGuests((id) => (id === person.id ? "person" : undefined));
  node.link.serve(protocols.api, ["person"], (stream) => stream.pipe(stream));
  return node;
}

test("a person dials a peer, calls it and goes, and nothing of it stays", async (t) => {
  const node = await openHost(t);
  const link = await dialPeer({ address: fullAddress(node), secret, identity: person });
  assert.equal(link.peer, node.id);
  const streams = await Promise.all([link.open(protocols.api), link.open(protocols.api)]);
  for (const [index, stream] of streams.entries()) {
    stream.end(`call ${index}`);
    assert.equal((await buffer(stream)).toString(), `call ${index}`);
  }
  await link.close();
  await until(() => node.link.counts().connections === 0, deadlineMs, "it is gone");
  assert.deepEqual(node.events, []);
});

test("a person's key that the peer does not know is refused, and that is said", async (t) => {
  const node = await openHost(t);
  const dial = dialPeer({ address: fullAddress(node), secret, identity: newIdentity() });
  await assert.rejects(dial, isProblem("key-refused"));
});

test("a person with another secret cannot reach the peer", async (t) => {
  const node = await openHost(t);
  const other = new Uint8Array(randomBytes(32));
  const dial = dialPeer({ address: fullAddress(node), secret: other, identity: person });
  await assert.rejects(dial, isProblem("peer-unreachable"));
});

test("another peer at the address is not the peer", async (t) => {
  const node = await openHost(t);
  const address = `${node.link.listenAddresses()[0]}/p2p/${newIdentity().id}`;
  await assert.rejects(
    dialPeer({ address, secret, identity: person }),
    isProblem("peer-unreachable"),
  );
});

test("an address where nobody listens is unreachable, at once", async () => {
  const address = `/ip4/127.0.0.1/tcp/1/p2p/${newIdentity().id}`;
  const begunMs = performance.now();
  await assert.rejects(
    dialPeer({ address, secret, identity: person }),
    isProblem("peer-unreachable"),
  );
  assert.ok(performance.now() - begunMs < 2_000);
});

test("an address that accepts and says nothing is unreachable in the end, or when told", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const address = `/ip4/127.0.0.1/tcp/${port}/p2p/${newIdentity().id}`;
  const waits = dialPeer({ address, secret, identity: person });
  const stop = new AbortController();
  const told = dialPeer({ address, secret, identity: person, signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(told, /enough/);
  await assert.rejects(waits, isProblem("peer-unreachable"));
});

for (const address of ["/ip4/127.0.0.1/tcp/1", "127.0.0.1:7946", "", "/ip4/127.0.0.1/udp/1"]) {
  test(`"${address}" is no address of a peer`, async () => {
    await assert.rejects(
      dialPeer({ address, secret, identity: person }),
      isProblem("address-invalid"),
    );
  });
}

test("what is not for people, or not there, is a problem when it is called", async (t) => {
  const node = await openHost(t);
  const link = await dialPeer({ address: fullAddress(node), secret, identity: person });
  t.after(() => link.close());
  await assert.rejects(link.open("/test/unknown/1"), isProblem("peer-unreachable"));
  const stream = await link.open(protocols.frames);
  await until(() => stream.destroyed, deadlineMs, "it is reset");
});

function isProblem(code: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof OperationError, String(error));
    assert.equal(error.problems[0]?.code, code, error.message);
    return true;
  };
}
