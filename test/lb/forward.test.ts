/** What peers may send to the receiving side, and what they get for it. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { type TestContext, test } from "node:test";
import { forwardDefaults } from "../../lb/config.ts";
import { answers, encodeHeader } from "../../lb/forward-header.ts";
import type { ForwarderOptions } from "../../lb/forwarder.ts";
import { openForwarder } from "../../lb/forwarder.ts";
import type { TaskId } from "../../model/ids.ts";
import type { PortKey } from "../../model/spec.ts";
import { until } from "../until.ts";
import { FakeClock } from "./fake-clock.ts";
import {
  dial,
  echo,
  ending,
  endpoint,
  freePort,
  here,
  openSockets,
  remote,
  table,
  tcpPort,
  tcpTask,
  tieResets,
  twoNodes,
  udpTask,
} from "./rooms.ts";

function header(task: string, port: string): Buffer {
  return encodeHeader({ task: task as TaskId, port: port as PortKey });
}

const ours = endpoint(1, 1).task;

/** A node that a peer talks to, and how many times its one task was connected to. */
async function receiver(
  t: TestContext,
  options: Partial<ForwarderOptions> = {},
  serve: (socket: Socket) => void = echo,
) {
  const clock = new FakeClock();
  const openStream = () => Promise.reject(new Error("no way"));
  const far = openForwarder({ openStream, clock, ...options });
  t.after(() => far.close());
  const task = await tcpTask(t, serve);
  const udp = await udpTask(t);
  const ports = { "80/tcp": task.port, "53/udp": udp.port };
  far.install(table([], [endpoint(1, 0, { ports }), remote(2)]));
  const open = (from = "peer", kind: "accept" | "acceptDatagrams" = "accept"): Duplex => {
    const [mine, theirs] = duplexPair();
    tieResets(mine, theirs);
    mine.on("error", () => {});
    t.after(() => mine.destroy());
    far[kind](theirs, from);
    return mine;
  };
  return { far, clock, sockets: task.sockets, open };
}

async function firstByte(stream: Duplex): Promise<number> {
  const [chunk] = (await once(stream, "data")) as [Buffer];
  assert.equal(chunk.length, 1);
  return chunk[0] as number;
}

const refusals: readonly (readonly [name: string, bytes: Buffer, answer: number])[] = [
  ["an empty header", Buffer.of(0), answers.malformed],
  [
    "garbage",
    Buffer.concat([Buffer.of(9), Buffer.from("\0\xff /tcp;;", "latin1")]),
    answers.malformed,
  ],
  [
    "an HTTP request",
    Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(9)),
    answers.malformed,
  ],
  ["the longest header, of garbage", Buffer.alloc(256, 0xff), answers.malformed],
  ["a port of the other protocol", header(ours, "53/udp"), answers.malformed],
  ["a task that is not here", header("shop/web.9.abcdefghij09", "80/tcp"), answers.unknown],
  ["a task of another node", header(remote(2).task, "80/tcp"), answers.unknown],
  ["a port that the task does not have", header(ours, "22/tcp"), answers.unknown],
];

for (const [name, bytes, answer] of refusals) {
  test(`a stream with ${name} is answered ${answer} and ended, and no task hears of it`, async (t) => {
    const { far, open, sockets } = await receiver(t);
    const stream = open();
    stream.write(bytes);
    assert.equal(await firstByte(stream), answer);
    await until(() => far.stats().forwardsNow === 0, 2_000);
    assert.equal(sockets.length, 0);
    assert.equal(far.stats().forwardsRefused, 1);
  });
}

test("a header may come byte by byte, with the client's first bytes close behind", async (t) => {
  const { open } = await receiver(t);
  const stream = open();
  const bytes = Buffer.concat([header(ours, "80/tcp"), Buffer.from("hello")]);
  for (const byte of bytes) stream.write(Buffer.of(byte));
  assert.equal(await firstByte(stream), answers.accepted);
  let heard = "";
  stream.on("data", (chunk) => {
    heard += chunk;
  });
  await until(() => heard === "hello", 2_000);
});

test("a silent stream is given up after five seconds, a slow one as well", async (t) => {
  const { far, clock, open } = await receiver(t);
  const silent = open();
  const slow = open();
  slow.write(Buffer.of(30, 65));
  await until(() => clock.waiting === 2, 2_000);
  clock.advance(forwardDefaults.headerMs - 1);
  assert.equal(far.stats().forwardsNow, 2);
  clock.advance(1);
  assert.deepEqual(await Promise.all([ending(silent), ending(slow)]), ["reset", "reset"]);
  await until(() => far.stats().forwardsNow === 0, 2_000);
  assert.equal(clock.waiting, 0);
});

test("a stream that ends or breaks within its header is refused without noise", async (t) => {
  const { far, clock, open } = await receiver(t);
  open().resume().end(Buffer.of(30));
  open().destroy(new Error("reset"));
  open().resume().end();
  await until(() => far.stats().forwardsRefused === 3, 2_000);
  await until(() => far.stats().forwardsNow === 0 && clock.waiting === 0, 2_000);
});

test("a peer that does not read its refusal is not kept", async (t) => {
  const { far, clock, open } = await receiver(t);
  open().write(Buffer.of(1, 65));
  await until(() => far.stats().forwardsRefused === 1, 2_000);
  clock.advance(forwardDefaults.headerMs);
  await until(() => far.stats().forwardsNow === 0, 2_000);
});

test("one peer cannot shut out another", async (t) => {
  const config = { acceptedOfPeerMax: 3, acceptedMax: 5 };
  const { far, open } = await receiver(t, { config });
  const greedy = Array.from({ length: 4 }, () => open("greedy"));
  assert.equal(await firstByte(greedy[3] as Duplex), answers.overloaded);
  const modest = open("modest");
  modest.write(header(ours, "80/tcp"));
  assert.equal(await firstByte(modest), answers.accepted);
  for (const stream of greedy) stream.destroy();
  await until(() => far.stats().forwardsNow === 1, 2_000);
});

test("a peer whose stream breaks while its task is being reached leaves nothing", async (t) => {
  const { far, open, sockets } = await receiver(t);
  for (let round = 0; round < 20; round++) {
    const stream = open();
    stream.write(header(ours, "80/tcp"), () => stream.destroy(new Error("reset")));
  }
  await until(() => far.stats().forwardsNow === 0, 2_000);
  await until(() => sockets.every(({ destroyed }) => destroyed), 2_000);
});

test("a peer that has said all and then breaks off resets its task, which was silent", async (t) => {
  const { open, sockets, far } = await receiver(t, {}, (socket) => socket.on("data", () => {}));
  const stream = open();
  stream.end(Buffer.concat([header(ours, "80/tcp"), Buffer.from("all of it")]));
  assert.equal(await firstByte(stream), answers.accepted);
  await until(() => sockets[0]?.readableEnded, 2_000);
  const before = openSockets();
  stream.destroy(new Error("its node is down"));
  await until(() => openSockets() === before - 1, 2_000, "letting go of the task");
  assert.equal(far.stats().forwardsNow, 0);
});

test("datagrams that make no sense end their stream", async (t) => {
  const { far, open } = await receiver(t);
  const stream = open("peer", "acceptDatagrams");
  stream.write(header(ours, "53/udp"));
  assert.equal(await firstByte(stream), answers.accepted);
  stream.write(Buffer.of(0xff, 0xff, 1, 2, 3));
  assert.equal(await ending(stream), "reset");
  assert.equal(far.stats().forwardsNow, 0);
});

test("a datagram stream that has gone quiet is given up, and its timer with it", async (t) => {
  const { far, clock, open } = await receiver(t);
  const stream = open("peer", "acceptDatagrams");
  stream.write(header(ours, "53/udp"));
  await firstByte(stream);
  clock.advance(2 * forwardDefaults.flowIdleMs);
  assert.equal(await ending(stream), "reset");
  assert.equal(far.stats().forwardsNow, 0);
  assert.equal(clock.waiting, 0);
});

for (const reply of [Buffer.of(answers.overloaded), Buffer.of(77), Buffer.alloc(0)]) {
  test(`a node that answers [${[...reply]}] and ends is passed over`, async (t) => {
    const good = await tcpTask(t, echo);
    const port = await freePort();
    const openStream = async () => {
      const [mine, theirs] = duplexPair();
      theirs.resume();
      theirs.end(reply);
      return mine;
    };
    const { near } = twoNodes(t, { openStream });
    near.install(table([tcpPort(port)], [remote(1), endpoint(2, good.port)]));
    const clients = await Promise.all(Array.from({ length: 10 }, () => dial(t, port)));
    for (const client of clients) {
      client.write("hello");
      assert.equal(String((await once(client, "data"))[0]), "hello");
    }
    assert.ok(near.stats().connectFailures > 0);
  });
}

test("a node that answers yes and then talks before it is asked is heard", async (t) => {
  const openStream = async () => {
    const [mine, theirs] = duplexPair();
    theirs.write(Buffer.concat([Buffer.of(answers.accepted), Buffer.from("220 ready")]));
    return mine;
  };
  const { near } = twoNodes(t, { openStream });
  const port = await freePort();
  near.install(table([tcpPort(port)], [remote(1, { node: here })]));
  const client = await dial(t, port);
  assert.equal(String((await once(client, "data"))[0]), "220 ready");
});
