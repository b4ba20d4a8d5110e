/** Forwarding over real libp2p streams: what the pairs of duplexes in the other tests stand for. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import { openForwarder } from "../../lb/forwarder.ts";
import { reset } from "../../lb/means.ts";
import { protocols } from "../../link/streams.ts";
import { openPair, type TestNode } from "../link/links.ts";
import { until } from "../until.ts";
import {
  dial,
  ending,
  endpoint,
  freePort,
  loopback,
  openSockets,
  remote,
  table,
  tcpPort,
  tcpTask,
  udpPort,
  udpTask,
} from "./rooms.ts";

function forwarderOf(t: TestContext, { link }: TestNode) {
  const forwarder = openForwarder({
    openStream: (to, purpose, signal) => link.open(to, protocols[purpose], signal),
    listenAddress: loopback,
  });
  link.serve(protocols.forward, ["node"], (stream, from) => forwarder.accept(stream, from));
  link.serve(protocols.datagrams, ["node"], (stream, from) =>
    forwarder.acceptDatagrams(stream, from),
  );
  t.after(() => forwarder.close());
  return forwarder;
}

/** Two linked nodes; the far one has a task for TCP and one for UDP, the near one both ports. */
async function mesh(t: TestContext, serve: (socket: net.Socket) => void) {
  const [a, b] = await openPair(t);
  const [near, far] = [forwarderOf(t, a), forwarderOf(t, b)];
  const [tcp, udp] = [await tcpTask(t, serve), await udpTask(t)];
  const ports = { "80/tcp": tcp.port, "53/udp": udp.port };
  far.install(table([], [endpoint(1, 0, { ports })]));
  const port = await freePort();
  near.install(table([tcpPort(port), udpPort(port)], [remote(1, { node: b.id })]));
  return { a, b, near, far, port, sockets: tcp.sockets };
}

test("20 MB go through the mesh and back unchanged, and both ends end", async (t) => {
  const { port, near, far } = await mesh(t, (socket) => socket.pipe(socket));
  const client = await dial(t, port);
  const [said, heard] = [createHash("sha256"), createHash("sha256")];
  client.on("data", (chunk) => heard.update(chunk));
  for (let index = 0; index < 200; index++) {
    const chunk = randomBytes(100_003);
    said.update(chunk);
    if (!client.write(chunk)) await once(client, "drain");
  }
  client.end();
  assert.equal(await ending(client), "end");
  assert.equal(heard.digest("hex"), said.digest("hex"));
  await until(() => near.stats().connectionsNow + far.stats().forwardsNow === 0, 5_000);
});

test("a reader that does not read stops the task on the other node", async (t) => {
  const total = 64 * 2 ** 20;
  const { port, sockets } = await mesh(t, async (socket) => {
    for (let sent = 0; sent < total; sent += 65_536) {
      if (!socket.write(Buffer.alloc(65_536))) await once(socket, "drain");
    }
    socket.end();
  });
  const client = await dial(t, port);
  let before = -1;
  let quietRounds = 0;
  await until(() => {
    const now = sockets[0]?.bytesWritten ?? -1;
    quietRounds = now > 0 && now === before ? quietRounds + 1 : 0;
    before = now;
    return quietRounds === 10;
  }, 10_000);
  assert.ok(before < 40 * 2 ** 20, `${before} bytes on their way`);
  let bytes = 0;
  client.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  assert.equal(await ending(client), "end");
  assert.equal(bytes, total);
});

test("resets go through the mesh as resets, both ways", async (t) => {
  const endings: Promise<string>[] = [];
  const { port } = await mesh(t, (socket) => {
    endings.push(ending(socket));
    socket.once("data", (chunk) => {
      if (String(chunk) === "break") socket.resetAndDestroy();
      else socket.write("hello");
    });
  });
  const first = await dial(t, port);
  first.write("break");
  assert.equal(await ending(first), "reset");
  const second = await dial(t, port);
  second.write("hello");
  await once(second, "data");
  second.resetAndDestroy();
  assert.deepEqual(await Promise.all(endings), ["reset", "reset"]);
});

test("when the link is aborted, clients are reset and their tasks as well", async (t) => {
  const { a, b, port, near, far, sockets } = await mesh(t, (socket) => socket.write("hello"));
  const clients = await Promise.all([1, 2, 3].map(() => dial(t, port)));
  await Promise.all(clients.map((client) => once(client, "data")));
  const ends = Promise.all(clients.map(ending));
  const seen = Promise.all(sockets.map(ending));
  a.link.abort(b.id);
  assert.deepEqual(await ends, ["reset", "reset", "reset"]);
  assert.deepEqual(await seen, ["reset", "reset", "reset"]);
  await until(() => near.stats().connectionsNow + far.stats().forwardsNow === 0, 5_000);
});

test("a hundred connections through the mesh leave no socket and no stream", async (t) => {
  const { port, near, far } = await mesh(t, (socket) => socket.pipe(socket));
  const before = openSockets();
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 10 }, () => dial(t, port)));
    for (const [index, client] of clients.entries()) {
      client.end(`hello ${index}`);
      if (index % 3 === 0) reset(client);
    }
    await Promise.all(clients.filter(({ destroyed }) => !destroyed).map(ending));
  }
  await until(() => near.stats().connectionsNow + far.stats().forwardsNow === 0, 5_000);
  await until(() => openSockets() <= before, 5_000);
});

test("datagrams go through the mesh and back", async (t) => {
  const { port, near } = await mesh(t, () => {});
  const client = dgram.createSocket("udp4");
  t.after(() => client.close());
  client.connect(port, loopback);
  await once(client, "connect");
  for (const size of [1, 0, 1_472, 65_507]) {
    const sent = randomBytes(size);
    client.send(sent);
    const [heard] = (await once(client, "message")) as [Buffer];
    assert.deepEqual(heard, sent);
  }
  assert.equal(near.stats().flowsNow, 1);
});
