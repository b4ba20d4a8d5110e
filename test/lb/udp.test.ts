import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { forwardDefaults } from "../../lb/config.ts";
import type { Problem } from "../../model/problem.ts";
import { until } from "../until.ts";
import { FakeClock } from "./fake-clock.ts";
import {
  endpoint,
  freePort,
  loopback,
  type Nodes,
  remote,
  table,
  twoNodes,
  udpPort,
  udpTask,
} from "./rooms.ts";

type Way = "direct" | "forwarded";
const ways: readonly Way[] = ["direct", "forwarded"];

type Client = {
  send(data: string | Buffer): void;
  /** What it has heard so far. */
  readonly heard: Buffer[];
};

async function udpClient(t: TestContext, port: number, host = loopback): Promise<Client> {
  const socket = dgram.createSocket(host.includes(":") ? "udp6" : "udp4");
  const heard: Buffer[] = [];
  socket.on("message", (data) => heard.push(data));
  socket.on("error", () => {});
  t.after(() => socket.close());
  socket.connect(port, host);
  await once(socket, "connect");
  return { send: (data) => socket.send(data), heard };
}

/** Asks until there is an answer: datagrams may be lost while things change. */
async function ask(client: Client, question: string): Promise<string> {
  const before = client.heard.length;
  client.send(question);
  return String(await until(() => client.heard[before], 2_000, `an answer to ${question}`));
}

/** A node that listens on a UDP port for these tasks. */
async function publish(
  t: TestContext,
  way: Way,
  tasks: readonly { port: number }[],
  options: Parameters<typeof twoNodes>[1] = {},
): Promise<Nodes & { port: number; install(slots: readonly number[]): void }> {
  const nodes = twoNodes(t, options);
  const port = await freePort();
  const install = (slots: readonly number[]): void => {
    const local = slots.map((slot) => endpoint(slot, tasks[slot - 1]?.port as number));
    nodes.far.install(table([], local));
    const seen = way === "direct" ? local : slots.map((slot) => remote(slot));
    nodes.near.install(table([udpPort(port)], seen));
  };
  install(tasks.map((_, index) => index + 1));
  await until(() => isBound(port), 2_000);
  return { ...nodes, port, install };
}

async function isBound(port: number): Promise<boolean> {
  const socket = dgram.createSocket("udp4");
  socket.bind({ port, address: loopback });
  const [event] = await Promise.race([
    once(socket, "listening").then(() => ["listening"]),
    once(socket, "error").then(() => ["error"]),
  ]).catch(() => ["error"]);
  socket.close();
  return event === "error";
}

function udpSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
}

for (const way of ways) {
  test(`${way} datagrams of every size come back as they were`, async (t) => {
    const { port, near } = await publish(t, way, [await udpTask(t)]);
    const client = await udpClient(t, port);
    for (const size of [1, 0, 2, 512, 1_472, 9_000, 65_507]) {
      const sent = randomBytes(size);
      const before = client.heard.length;
      client.send(sent);
      assert.deepEqual(await until(() => client.heard[before], 2_000), sent, `${size} bytes`);
    }
    const { datagramsIn, datagramsOut, datagramsDropped, flows } = near.stats();
    assert.deepEqual([datagramsIn, datagramsOut, datagramsDropped, flows], [7, 7, 0, 1]);
  });

  test(`${way} answers go to the client who asked, each with a task of its own`, async (t) => {
    const tasks = [await udpTask(t, "a"), await udpTask(t, "b")];
    const { port, near } = await publish(t, way, tasks);
    const clients = await Promise.all(Array.from({ length: 16 }, () => udpClient(t, port)));
    const served: string[] = [];
    for (const [index, client] of clients.entries()) {
      const first = await ask(client, `:${index}`);
      assert.match(first, new RegExp(`^[ab]:${index}$`));
      served.push(first.slice(0, 1));
      assert.equal(await ask(client, ":again"), `${first.slice(0, 1)}:again`);
    }
    assert.deepEqual([...new Set(served)].sort(), ["a", "b"]);
    assert.equal(near.stats().flowsNow, 16);
  });

  test(`a ${way} client is taken to another task when its own leaves the table`, async (t) => {
    const tasks = [await udpTask(t, "a"), await udpTask(t, "b")];
    const { port, install } = await publish(t, way, tasks);
    install([1]);
    const client = await udpClient(t, port);
    assert.equal(await ask(client, ":1"), "a:1");
    install([2]);
    assert.equal(await ask(client, ":2"), "b:2");
    install([]);
    client.send(":nobody");
    install([1, 2]);
  });

  test(`a ${way} client does not lose its question to a task that refuses`, async (t) => {
    const [dead, live] = [await udpTask(t, "a"), await udpTask(t, "b")];
    const { port, near } = await publish(t, way, [dead, live]);
    dead.close();
    for (let count = 0; count < 10; count++) {
      const client = await udpClient(t, port);
      // Over UDP a refusal comes with the second datagram, if the first was taken for sent.
      client.send(":1");
      client.send(":2");
      await until(() => client.heard.length >= 2, 2_000);
      assert.deepEqual(client.heard.slice(0, 2).map(String), ["b:1", "b:2"]);
    }
    assert.ok(near.stats().connectFailures > 0);
  });

  test(`a ${way} client that has been silent is forgotten, and what it held is let go`, async (t) => {
    const clock = new FakeClock();
    const { port, near, far } = await publish(t, way, [await udpTask(t)], { clock });
    const before = udpSockets();
    const client = await udpClient(t, port);
    assert.equal(await ask(client, "hello"), "hello");
    clock.advance(forwardDefaults.flowIdleMs / 2);
    assert.equal(await ask(client, "still here"), "still here");
    clock.advance(forwardDefaults.flowIdleMs - 1);
    assert.equal(near.stats().flowsNow, 1);
    clock.advance(forwardDefaults.flowIdleMs / 4);
    assert.equal(near.stats().flowsNow, 0);
    await until(() => far.stats().forwardsNow === 0, 2_000);
    // The client's own.
    await until(() => udpSockets() <= before + 1, 2_000);
    assert.equal(await ask(client, "back"), "back");
  });

  test(`of too many ${way} clients the one silent for longest makes room`, async (t) => {
    const clock = new FakeClock();
    const config = { flowsMax: 3 };
    const { port, near } = await publish(t, way, [await udpTask(t)], { clock, config });
    const clients = await Promise.all([1, 2, 3, 4].map(() => udpClient(t, port)));
    const [first, second, third, fourth] = clients as [Client, Client, Client, Client];
    for (const client of [first, second, third, first, fourth]) {
      clock.advance(2_000);
      await ask(client, "hello");
    }
    assert.equal(near.stats().flowsEvicted, 1);
    // The second one was silent for longest: all others are known still.
    for (const client of [first, third, fourth]) await ask(client, "again");
    assert.equal(near.stats().flows, 4);
    await ask(second, "new");
    assert.deepEqual([near.stats().flows, near.stats().flowsNow], [5, 3]);
  });
}

test("an abort of its stream moves a client to another task", async (t) => {
  const tasks = [await udpTask(t, "a"), await udpTask(t, "b")];
  const { port, install, streams } = await publish(t, "forwarded", tasks);
  install([1]);
  const client = await udpClient(t, port);
  assert.equal(await ask(client, ":1"), "a:1");
  install([1, 2]);
  for (const stream of streams) stream.destroy(new Error("the connection was aborted"));
  assert.match(await ask(client, ":2"), /^[ab]:2$/);
});

test("without endpoints datagrams are dropped and counted", async (t) => {
  const { port, near } = await publish(t, "direct", []);
  const client = await udpClient(t, port);
  for (let count = 0; count < 10; count++) client.send("hello");
  await until(() => near.stats().datagramsDropped === 10, 2_000);
});

test("while its endpoint is being reached a client can have only so much kept", async (t) => {
  const config = { keptBytesMax: 5_000 };
  const openStream = () => new Promise<never>(() => {});
  const nodes = await publish(t, "forwarded", [{ port: 1 }], { config, openStream });
  const clients = await Promise.all(Array.from({ length: 10 }, () => udpClient(t, nodes.port)));
  for (const client of clients) client.send(Buffer.alloc(1_000));
  await until(() => nodes.near.stats().datagramsDropped === 5, 2_000);
});

test("a UDP port that something else has is a problem until it is free", async (t) => {
  const clock = new FakeClock();
  const { near } = twoNodes(t, { clock });
  const [squatter, good] = [await udpTask(t), await udpTask(t, "good")];
  const told: (readonly Problem[])[] = [];
  near.onProblems((problems) => told.push(problems));
  near.install(table([udpPort(squatter.port)], [endpoint(1, good.port)]));
  await until(() => told.length === 1, 2_000);
  assert.deepEqual(
    told[0]?.map(({ code }) => code),
    ["port-in-use"],
  );
  squatter.close();
  clock.advance(forwardDefaults.portRetryMs);
  await until(() => told.length === 2, 2_000);
  assert.deepEqual(told[1], []);
  assert.equal(await ask(await udpClient(t, squatter.port), ":hello"), "good:hello");
});

test("a UDP port that leaves the table is free again, with all that its clients held", async (t) => {
  const before = udpSockets();
  const { port, near } = await publish(t, "direct", [await udpTask(t)]);
  const client = await udpClient(t, port);
  await ask(client, "hello");
  near.install({ services: [] });
  await until(async () => !(await isBound(port)), 2_000);
  assert.equal(near.stats().flowsNow, 0);
  // The task's and the client's own.
  await until(() => udpSockets() <= before + 2, 2_000);
});

test("by default UDP is heard on all addresses of the machine", async (t) => {
  const { port } = await publish(t, "direct", [await udpTask(t)], { listenAddress: "" });
  assert.equal(await ask(await udpClient(t, port, "127.0.0.1"), "four"), "four");
  const six = await udpClient(t, port, "::1").catch(() => undefined);
  if (six !== undefined) assert.equal(await ask(six, "six"), "six");
});

test("the same port number serves TCP and UDP, each for itself", async (t) => {
  const { near } = twoNodes(t);
  const task = await udpTask(t);
  const port = await freePort();
  const ports = [udpPort(port), { published: port, target: 80, protocol: "tcp" } as const];
  near.install(table(ports, [endpoint(1, task.port)]));
  await until(() => isBound(port), 2_000);
  assert.equal(await ask(await udpClient(t, port), "hello"), "hello");
});
