import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { reset } from "../../lb/means.ts";
import { until } from "../until.ts";
import {
  dial,
  echo,
  ending,
  endpoint,
  freePort,
  type Nodes,
  openSockets,
  remote,
  table,
  tcpPort,
  tcpTask,
  twoNodes,
} from "./rooms.ts";

type Way = "direct" | "forwarded";
const ways: readonly Way[] = ["direct", "forwarded"];

/** A published port whose one task is on this node or on the other one. */
async function publish(
  t: TestContext,
  way: Way,
  serve: (socket: net.Socket) => void,
): Promise<Nodes & { port: number; sockets: net.Socket[] }> {
  const nodes = twoNodes(t);
  const task = await tcpTask(t, serve);
  const port = await freePort();
  nodes.far.install(table([], [endpoint(1, task.port)]));
  const seen = way === "direct" ? endpoint(1, task.port) : remote(1);
  nodes.near.install(table([tcpPort(port)], [seen]));
  return { ...nodes, port, sockets: task.sockets };
}

for (const way of ways) {
  test(`a ${way} connection carries bytes unchanged both ways at once`, async (t) => {
    const { port } = await publish(t, way, echo);
    const client = await dial(t, port);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    client.on("data", (chunk) => received.update(chunk));
    for (let index = 0; index < 200; index++) {
      const chunk = randomBytes(1 + ((index * 7919) % 100_000));
      sent.update(chunk);
      if (!client.write(chunk)) await once(client, "drain");
    }
    client.end();
    assert.equal(await ending(client), "end");
    assert.equal(received.digest("hex"), sent.digest("hex"));
  });
}

for (const way of ways) {
  test(`a ${way} answer waits for a reader that does not read, and none of it is lost`, async (t) => {
    const total = 48 * 2 ** 20;
    const said = createHash("sha256");
    const { port, sockets } = await publish(t, way, async (socket) => {
      for (const chunk of chunks(total)) {
        said.update(chunk);
        if (!socket.write(chunk)) await once(socket, "drain");
      }
      socket.end();
    });
    const client = await dial(t, port);
    const taken = () => (sockets[0]?.bytesWritten ?? 0) - (sockets[0]?.writableLength ?? 0);
    let before = -1;
    let quietRounds = 0;
    // It is full when nothing more has gone in for ten looks.
    await until(() => {
      quietRounds = taken() > 0 && taken() === before ? quietRounds + 1 : 0;
      before = taken();
      return quietRounds === 10;
    }, 10_000);
    // Kernel buffers of two connections on loopback, a few MB each, and little of ours.
    assert.ok(taken() < 24 * 2 ** 20, `${taken()} bytes on their way`);
    const heard = createHash("sha256");
    let bytes = 0;
    client.on("data", (chunk: Buffer) => {
      heard.update(chunk);
      bytes += chunk.length;
      // A reader that stops again and again, so that every buffer on the way fills and empties.
      if (bytes % 7 === 0) {
        client.pause();
        setImmediate(() => client.resume());
      }
    });
    assert.equal(await ending(client), "end");
    assert.equal(bytes, total);
    assert.equal(heard.digest("hex"), said.digest("hex"));
  });

  test(`small ${way} writes that meet a full pipe keep their bytes`, async (t) => {
    const total = 12 * 2 ** 20;
    const said = createHash("sha256");
    const { port, sockets } = await publish(t, way, async (socket) => {
      for (const chunk of chunks(total, 4_001)) {
        said.update(chunk);
        if (!socket.write(chunk)) await once(socket, "drain");
        // So that each is read for itself, and not all that has gathered.
        await nextTurn();
      }
      socket.end();
    });
    const client = await dial(t, port);
    let before = -1;
    await until(() => {
      const isStuck = sockets[0]?.writableNeedDrain === true && sockets[0].bytesRead === before;
      before = sockets[0]?.bytesRead ?? -1;
      return isStuck || (sockets[0]?.writableFinished ?? false);
    }, 10_000);
    const heard = createHash("sha256");
    client.on("data", (chunk: Buffer) => heard.update(chunk));
    assert.equal(await ending(client), "end");
    assert.equal(heard.digest("hex"), said.digest("hex"));
  });

  test(`a ${way} client that has said all still hears the answer`, async (t) => {
    const { port } = await publish(t, way, (socket) => {
      let heard = 0;
      socket.on("data", (chunk) => {
        heard += chunk.length;
      });
      socket.on("end", () => socket.end(`${heard} bytes`));
    });
    const client = await dial(t, port);
    client.end(Buffer.alloc(1_000_000));
    assert.equal(await text(client), "1000000 bytes");
  });

  test(`a ${way} task that has said all still hears the client`, async (t) => {
    const heard = Promise.withResolvers<string>();
    const { port } = await publish(t, way, (socket) => {
      socket.end("welcome and goodbye");
      text(socket).then(heard.resolve, heard.reject);
    });
    const client = await dial(t, port);
    assert.equal(await text(client), "welcome and goodbye");
    client.write("not yet");
    client.end(", now");
    assert.equal(await heard.promise, "not yet, now");
  });

  test(`a reset of a ${way} client reaches the task as a reset`, async (t) => {
    const seen = Promise.withResolvers<string>();
    const { port } = await publish(t, way, (socket) => {
      socket.write("hello");
      ending(socket).then(seen.resolve);
    });
    const client = await dial(t, port);
    await once(client, "data");
    client.resetAndDestroy();
    assert.equal(await seen.promise, "reset");
  });

  test(`a ${way} answer that breaks off is never taken for a whole one`, async (t) => {
    const { port } = await publish(t, way, (socket) => {
      socket.once("data", () =>
        socket.write(Buffer.alloc(300_000), () => socket.resetAndDestroy()),
      );
    });
    for (let round = 0; round < 20; round++) {
      const client = await dial(t, port);
      client.write("give");
      assert.equal(await ending(client), "reset");
    }
  });

  test(`a ${way} task that hangs up while its client is still writing ends it`, async (t) => {
    const { port, near } = await publish(t, way, (socket) => {
      socket.once("data", () => socket.destroy());
    });
    const client = await dial(t, port);
    const end = ending(client);
    client.write(Buffer.alloc(10_000_000));
    assert.match(await end, /end|reset/);
    client.destroy();
    await until(() => near.stats().connectionsNow === 0, 2_000);
  });

  test(`a thousand ${way} connections that end in every way leave nothing open`, async (t) => {
    const ends: readonly ((socket: net.Socket) => void)[] = [
      (socket) => socket.end(),
      (socket) => socket.destroy(),
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.end("last words", () => socket.destroy()),
      (socket) => {
        socket.end();
        process.nextTick(() => reset(socket));
      },
    ];
    let count = 0;
    const { port, near, far } = await publish(t, way, (socket) => {
      const end = ends[count++ % ends.length] as (socket: net.Socket) => void;
      socket.resume();
      socket.once("data", () => end(socket));
      socket.once("end", () => socket.end());
    });
    const before = openSockets();
    for (let batch = 0; batch < 20; batch++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => dial(t, port)));
      const closed = clients.map((client) => new Promise((done) => client.once("close", done)));
      for (const [index, client] of clients.entries()) {
        client.resume();
        client.once("end", () => client.end());
        client.write("hello");
        if (index % 3 === 0) ends[index % ends.length]?.(client);
      }
      await Promise.all(closed);
    }
    assert.equal(near.stats().connections, 1_000);
    await until(() => near.stats().connectionsNow + far.stats().forwardsNow === 0, 5_000);
    await until(() => openSockets() <= before, 5_000, `no more than ${before} sockets`);
  });
}

/** Bytes in pieces of odd sizes that never repeat at any distance that buffers have. */
function* chunks(total: number, largest = 99_991): Generator<Buffer> {
  const source = randomBytes(1_000_003);
  for (let at = 0, index = 1; at < total; index++) {
    const from = (index * 7_919) % 900_000;
    const chunk = source.subarray(from, from + Math.min(total - at, (index * 104_729) % largest));
    at += chunk.length;
    yield chunk;
  }
}

async function text(socket: net.Socket): Promise<string> {
  let heard = "";
  socket.on("data", (chunk) => {
    heard += chunk;
  });
  await once(socket, "end");
  return heard;
}

test("a reset while a shutdown is under way leaves no descriptor behind", async (t) => {
  const { port } = await tcpTask(t, (socket) => socket.resume());
  const before = openSockets();
  for (let count = 0; count < 10; count++) {
    const socket = await dial(t, port);
    const closed = once(socket, "close");
    socket.end("all of it");
    // The end has been asked of the kernel by now, and has not happened.
    await new Promise((done) => process.nextTick(done));
    assert.deepEqual([socket.writableEnded, socket.writableFinished], [true, false]);
    reset(socket);
    await closed;
  }
  // The task's own sockets stay open, as it does not answer the end.
  await until(() => openSockets() <= before + 10, 2_000);
});
