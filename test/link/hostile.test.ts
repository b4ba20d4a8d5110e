import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Stream } from "@libp2p/interface";
import { encode } from "../../crdt/codec.ts";
import { writeHello } from "../../link/hello.ts";
import type { LinkOptions } from "../../link/link.ts";
import { packRecord } from "../../link/records.ts";
import { protocols } from "../../link/streams.ts";
import type { NodeId } from "../../model/ids.ts";
import { until } from "../until.ts";
import { deadlineMs, newIdentity, openNode, type TestNode } from "./links.ts";
import { dialRaw, openFrames, type Raw } from "./raw.ts";

/** A node, and an admitted peer that says what it likes. */
async function openHostile(
  t: TestContext,
  options: Partial<LinkOptions> = {},
): Promise<[TestNode, Raw, NodeId]> {
  const node = await openNode(t, options);
  const identity = newIdentity();
  const id = identity.id as NodeId;
  node.link.admit(new Set([node.id, id]));
  return [node, await dialRaw(t, identity, node), id];
}

const garbage: [name: string, bytes: Uint8Array][] = [
  ["an empty frame", Uint8Array.of(0, 0, 0, 0)],
  ["a frame one byte too long", head(512 * 1024 + 1)],
  ["a frame of four gigabytes", head(2 ** 32 - 1)],
  ["random bytes", Uint8Array.of(0xfe, ...randomBytes(100_000))],
];

for (const [name, bytes] of garbage) {
  test(`${name} resets the stream, is counted, and leaves the link as it was`, async (t) => {
    const [node, raw, id] = await openHostile(t);
    const stream = await openFrames(raw);
    await until(() => node.link.linked().length === 1, deadlineMs, "linked");
    stream.send(bytes);
    await until(() => stream.status !== "open", deadlineMs, "the stream is reset");
    assert.equal(node.link.counts().framesInvalid, 1);
    assert.deepEqual(node.heard, []);
    assert.deepEqual(node.link.linked(), [id]);
    const again = await openFrames(raw);
    again.send(packRecord(Uint8Array.of(42)));
    await until(() => node.heard.length === 1, deadlineMs, "a new stream works");
  });
}

const noHellos: [name: string, record: Uint8Array][] = [
  ["not CBOR", Uint8Array.of(255, 255)],
  ["another value", Uint8Array.of(1)],
  [
    "a hello with too many addresses",
    hello(Array.from({ length: 9 }, () => "/ip4/10.0.0.1/tcp/1")),
  ],
  ["a hello with numbers for addresses", hello([1, 2])],
];

for (const [name, record] of noHellos) {
  test(`where a hello is due, ${name} is no link`, async (t) => {
    const [node, { connection }] = await openHostile(t);
    const stream = await connection.newStream(protocols.frames);
    stream.send(packRecord(record));
    await until(() => stream.status !== "open", deadlineMs, "the stream is reset");
    assert.deepEqual(node.events, []);
    assert.equal(node.link.counts().framesInvalid, 1);
  });
}

test("a peer that is let in and never says hello is cut off", async (t) => {
  const [node, { connection }] = await openHostile(t);
  await until(() => connection.status !== "open", deadlineMs, "cut off");
  assert.deepEqual(node.events, []);
});

test("addresses in a hello that make no sense are not dialled", async (t) => {
  const [node, { connection }, id] = await openHostile(t);
  node.link.maintain([{ node: id, addresses: [] }]);
  const stream = await connection.newStream(protocols.frames);
  const listen = ["", "junk", "/ip4/10.0.0.1/tcp/99999", "/tcp/0x1"];
  stream.send(packRecord(writeHello({ listen, alone: true })));
  await until(() => node.link.linked().length === 1, deadlineMs, "linked");
  connection.abort(new Error("gone"));
  await until(() => node.events.length === 2, deadlineMs, "down");
  assert.equal(node.link.counts().dials, 0);
});

test("a peer that opens frames streams without end holds one", async (t) => {
  const [node, raw] = await openHostile(t);
  const streams: Stream[] = [];
  for (let count = 0; count < 50; count++) streams.push(await openFrames(raw));
  const open = () => streams.filter(({ status }) => status === "open").length;
  await until(() => open() <= 1, deadlineMs, "the older ones are reset");
  assert.deepEqual(node.events.length, 1);
});

test("a frame that comes one byte at a time, and one that never ends, cost one frame", async (t) => {
  const [node, raw] = await openHostile(t);
  const stream = await openFrames(raw);
  for (const byte of packRecord(Uint8Array.of(1, 2, 3))) {
    stream.send(Uint8Array.of(byte));
    await turn();
  }
  await until(() => node.heard.length === 1, deadlineMs, "it is put together");
  stream.send(head(512 * 1024));
  stream.send(new Uint8Array(512 * 1024 - 1));
  stream.send(Uint8Array.of(1));
  await until(() => node.heard.length === 2, deadlineMs, "the largest is put together as well");
});

test("a peer that does not read costs a bounded queue, and others notice nothing", async (t) => {
  const queueBytesMax = 512 * 1024;
  const [node, raw, id] = await openHostile(t, { queueBytesMax });
  const stream = await openFrames(raw);
  await until(() => node.link.linked().length === 1, deadlineMs, "linked");
  // Its hello has been read; from here on it reads nothing.
  await until(() => stream.readBufferLength > 0, deadlineMs, "our hello is there");
  stream.pause();
  const frame = new Uint8Array(64 * 1024);
  const before = heldBytes();
  for (let count = 0; count < 1_000; count++) {
    node.link.send(id, frame.fill(count));
    if (count % 10 === 0) await turn();
  }
  const { framesDropped } = node.link.counts();
  assert.ok(framesDropped > 700, `${framesDropped} of 1000 dropped`);
  // Both ends live here: our queue, the stream's window, and the buffer of who does not read. The
  // collector frees in its own time, and what is really held stays for as long as nobody reads.
  const isBounded = () => heldBytes() - before < 24 * 1024 * 1024;
  await until(isBounded, deadlineMs, "little is held of the 64 MB sent");
  assert.deepEqual(node.link.linked(), [id]);
});

test("what a slow peer gets in the end is the newest", async (t) => {
  const [node, raw, id] = await openHostile(t, { queueBytesMax: 512 * 1024 });
  const stream = await openFrames(raw);
  await until(() => stream.readBufferLength > 0, deadlineMs, "our hello is there");
  stream.pause();
  const count = 500;
  for (let number = 0; number < count; number++) {
    node.link.send(id, new Uint8Array(64 * 1024).fill(number % 251));
    if (number % 10 === 0) await turn();
  }
  let last = -1;
  stream.addEventListener("message", ({ data }) => {
    last = data.subarray().at(-1) as number;
  });
  stream.resume();
  await until(() => last === (count - 1) % 251, deadlineMs, "the newest arrives");
});

test("who talks another protocol to the port, or nothing at all, is sent away", async (t) => {
  const node = await openNode(t);
  const port = Number(node.link.listenAddresses()[0]?.split("/").at(-1));
  const noise = ["", "GET / HTTP/1.1\r\n\r\n", randomBytes(10_000), "\x13/multistream/1.0.0\n"];
  const sockets = noise.map((words) => {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    socket.write(words);
    return socket.resume();
  });
  await until(() => sockets.every(({ closed }) => closed), deadlineMs, "all are sent away");
  assert.equal(node.link.counts().connections, 0);
});

/** Without what merely waits to be collected. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().arrayBuffers;
}

function head(length: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return new Uint8Array(bytes);
}

function hello(listen: readonly unknown[]): Uint8Array {
  return encode({ kind: "hello", listen, alone: true });
}
