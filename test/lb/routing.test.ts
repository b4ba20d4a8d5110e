/** How connections follow the table: retries, holding, listeners that come and go, draining. */

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { duplexPair } from "node:stream";
import { type TestContext, test } from "node:test";
import { forwardDefaults } from "../../lb/config.ts";
import type { Problem } from "../../model/problem.ts";
import { until } from "../until.ts";
import { FakeClock } from "./fake-clock.ts";
import {
  dial,
  echo,
  ending,
  endpoint,
  freePort,
  loopback,
  remote,
  table,
  tcpPort,
  tcpTask,
  there,
  twoNodes,
} from "./rooms.ts";

/** What a client hears back within one connection; "" when it is reset. */
async function ask(t: TestContext, port: number, question: string): Promise<string> {
  const client = await dial(t, port);
  let heard = "";
  client.on("data", (chunk) => {
    heard += chunk;
  });
  client.end(question);
  return (await ending(client)) === "end" ? heard : "";
}

/** A task that says its name to everybody. */
function named(name: string): (socket: net.Socket) => void {
  return (socket) => {
    socket.resume();
    socket.end(name);
  };
}

async function refusesDial(port: number): Promise<boolean> {
  const socket = net.connect({ port, host: loopback });
  const [event] = await Promise.race([
    once(socket, "connect").then(() => ["connect"]),
    once(socket, "close").then(() => ["close"]),
  ]).catch(() => ["close"]);
  socket.destroy();
  return event === "close";
}

test("a client never sees that one of two endpoints refuses", async (t) => {
  const { near } = twoNodes(t);
  const [good, port, dead] = [await tcpTask(t, echo), await freePort(), await freePort()];
  near.install(table([tcpPort(port)], [endpoint(1, good.port), endpoint(2, dead)]));
  for (let count = 0; count < 20; count++) {
    assert.equal(await ask(t, port, `question ${count}`), `question ${count}`);
  }
  const { connectFailures, retries, connectionsRefused } = near.stats();
  assert.ok(connectFailures > 0 && retries === connectFailures, `${connectFailures} ${retries}`);
  assert.equal(connectionsRefused, 0);
});

test("a client never sees that another node does not know the task, or refuses the stream", async (t) => {
  const { near, far } = twoNodes(t);
  const [good, port, dead] = [await tcpTask(t, echo), await freePort(), await freePort()];
  far.install(table([], [endpoint(2, dead), endpoint(3, good.port)]));
  near.install(table([tcpPort(port)], [remote(1), remote(2), remote(3)]));
  for (let count = 0; count < 20; count++) {
    assert.equal(await ask(t, port, `question ${count}`), `question ${count}`);
  }
  assert.ok(far.stats().forwardsRefused > 1);
  assert.equal(near.stats().connectionsRefused, 0);
});

test("a client never sees that a node cannot be reached", async (t) => {
  const { near } = twoNodes(t, { openStream: () => Promise.reject(new Error("no way there")) });
  const [good, port] = [await tcpTask(t, echo), await freePort()];
  near.install(table([tcpPort(port)], [remote(1), endpoint(2, good.port)]));
  const clients = await Promise.all(Array.from({ length: 20 }, () => dial(t, port)));
  for (const client of clients) {
    client.write("hello");
    assert.equal(String((await once(client, "data"))[0]), "hello");
  }
  assert.ok(near.stats().retries > 0);
});

test("an endpoint that does not answer in time is given up for another one", async (t) => {
  const clock = new FakeClock();
  const aborted: string[] = [];
  const { near } = twoNodes(t, {
    clock,
    openStream: (_to, _purpose, signal) =>
      new Promise(() => signal.addEventListener("abort", () => aborted.push("aborted"))),
  });
  const [late, port] = [await tcpTask(t, named("late")), await freePort()];
  near.install(table([tcpPort(port)], [remote(1)]));
  const answer = ask(t, port, "");
  await until(() => near.stats().connections === 1, 2_000);
  near.install(table([tcpPort(port)], [remote(1), endpoint(2, late.port)]));
  clock.advance(forwardDefaults.connectMs);
  assert.equal(await answer, "late");
  assert.deepEqual(aborted, ["aborted"]);
});

test("after as many endpoints as may be tried have refused, the client is reset", async (t) => {
  const { near } = twoNodes(t, { config: { triesMax: 3 } });
  const [port, dead] = [await freePort(), await freePort()];
  const all = [1, 2, 3, 4, 5].map((slot) => endpoint(slot, dead));
  near.install(table([tcpPort(port)], all));
  assert.equal(await ask(t, port, "hello"), "");
  const { connectFailures, connectionsRefused } = near.stats();
  assert.deepEqual(
    { connectFailures, connectionsRefused },
    { connectFailures: 3, connectionsRefused: 1 },
  );
});

test("a client is held until an endpoint appears, and what it said meanwhile is not lost", async (t) => {
  const { near } = twoNodes(t, { clock: new FakeClock() });
  const [good, port] = [await tcpTask(t, echo), await freePort()];
  near.install(table([tcpPort(port)], []));
  const answer = ask(t, port, "anybody there?");
  await until(() => near.stats().connections === 1, 2_000);
  near.install(table([tcpPort(port)], [endpoint(1, good.port, { draining: true })]));
  near.install(table([tcpPort(port)], [endpoint(1, good.port)]));
  assert.equal(await answer, "anybody there?");
});

test("a client whose only endpoint refuses is held for the one that replaces it", async (t) => {
  const { near } = twoNodes(t, { clock: new FakeClock() });
  const [good, port, dead] = [await tcpTask(t, echo), await freePort(), await freePort()];
  near.install(table([tcpPort(port)], [endpoint(1, dead)]));
  const answer = ask(t, port, "hello");
  await until(() => near.stats().connectFailures === 1, 2_000);
  near.install(table([tcpPort(port)], [endpoint(2, good.port)]));
  assert.equal(await answer, "hello");
});

test("a client for whom no endpoint appears is reset in the end", async (t) => {
  const clock = new FakeClock();
  const { near } = twoNodes(t, { clock });
  const port = await freePort();
  near.install(table([tcpPort(port)], []));
  const answer = ask(t, port, "hello");
  await until(() => near.stats().connections === 1, 2_000);
  clock.advance(forwardDefaults.holdMs - 1);
  assert.equal(near.stats().connectionsRefused, 0);
  clock.advance(1);
  assert.equal(await answer, "");
  assert.equal(near.stats().connectionsRefused, 1);
});

test("no more clients are held than the limit says", async (t) => {
  const { near } = twoNodes(t, { clock: new FakeClock(), config: { heldMax: 5 } });
  const port = await freePort();
  near.install(table([tcpPort(port)], []));
  const clients = await Promise.all(Array.from({ length: 12 }, () => dial(t, port)));
  for (const client of clients) client.resume();
  await until(() => near.stats().connectionsRefused === 7, 2_000);
  await until(() => clients.filter(({ destroyed }) => destroyed).length === 7, 2_000);
});

test("a port that something else has is a problem until it is free", async (t) => {
  const clock = new FakeClock();
  const { near } = twoNodes(t, { clock });
  const told: (readonly Problem[])[] = [];
  near.onProblems((problems) => told.push(problems));
  const good = await tcpTask(t, named("good"));
  const squatter = net.createServer().listen(0, loopback);
  await once(squatter, "listening");
  const { port } = squatter.address() as net.AddressInfo;
  near.install(table([tcpPort(port)], [endpoint(1, good.port)]));
  await until(() => told.length === 1, 2_000);
  const [problem] = told[0] as Problem[];
  assert.equal(problem?.code, "port-in-use");
  assert.match(JSON.stringify(problem), new RegExp(`"port":${port},"protocol":"tcp","node":"a"`));
  // Tried again in vain: nothing new to tell.
  clock.advance(forwardDefaults.portRetryMs);
  await until(() => clock.waiting === 1, 2_000, "the next attempt is due");
  squatter.close();
  await once(squatter, "close");
  clock.advance(forwardDefaults.portRetryMs);
  await until(() => told.length === 2, 2_000);
  assert.deepEqual(told[1], []);
  assert.equal(await ask(t, port, ""), "good");
});

test("a port in use that is no longer wanted is no problem", async (t) => {
  const clock = new FakeClock();
  const { near } = twoNodes(t, { clock });
  const told: number[] = [];
  near.onProblems((problems) => told.push(problems.length));
  const squatter = await tcpTask(t, echo);
  near.install(table([tcpPort(squatter.port)], []));
  await until(() => told.length === 1, 2_000);
  near.install(table([], []));
  assert.deepEqual(told, [1, 0]);
  assert.equal(clock.waiting, 0);
});

test("a port that leaves the table is closed to new clients and kept for those it has", async (t) => {
  const { near } = twoNodes(t);
  const [good, port] = [await tcpTask(t, echo), await freePort()];
  near.install(table([tcpPort(port)], [endpoint(1, good.port)]));
  const client = await dial(t, port);
  client.write("before");
  await once(client, "data");
  near.install({ services: [] });
  assert.equal(await refusesDial(port), true);
  client.write("after");
  assert.equal(String((await once(client, "data"))[0]), "after");
});

test("a port that is wanted for less than a moment is not listened on", async (t) => {
  const { near } = twoNodes(t);
  const port = await freePort();
  near.install(table([tcpPort(port)], []));
  near.install(table([], []));
  // Listening would have begun by the time that another port listens.
  const other = await freePort();
  near.install(table([tcpPort(other)], []));
  await until(async () => !(await refusesDial(other)), 2_000);
  assert.equal(await refusesDial(port), true);
});

test("a port goes over to another service without a moment of silence", async (t) => {
  const { near } = twoNodes(t);
  const [old, young, port] = [
    await tcpTask(t, named("old")),
    await tcpTask(t, named("young")),
    await freePort(),
  ];
  const [first] = table([tcpPort(port)], [endpoint(1, old.port)]).services;
  const [second] = table([tcpPort(port)], [endpoint(2, young.port)]).services;
  assert.ok(first !== undefined && second !== undefined);
  near.install({ services: [first] });
  assert.equal(await ask(t, port, ""), "old");
  const name = "shop/young" as typeof second.service;
  near.install({
    services: [
      { ...first, published: [] },
      { ...second, service: name },
    ],
  });
  assert.equal(await ask(t, port, ""), "young");
});

test("a draining endpoint keeps its connections and gets no new ones", async (t) => {
  const { near } = twoNodes(t);
  const [old, young] = [await tcpTask(t, echo), await tcpTask(t, echo)];
  const port = await freePort();
  near.install(table([tcpPort(port)], [endpoint(1, old.port)]));
  const client = await dial(t, port);
  client.write("before");
  await once(client, "data");
  const next = endpoint(2, young.port);
  near.install(table([tcpPort(port)], [endpoint(1, old.port, { draining: true }), next]));
  for (let count = 0; count < 10; count++) assert.equal(await ask(t, port, "new"), "new");
  near.install(table([tcpPort(port)], [next]));
  client.write("after");
  assert.equal(String((await once(client, "data"))[0]), "after");
  assert.deepEqual([old.sockets.length, young.sockets.length], [1, 10]);
});

test("when a node is down and its streams are aborted, their clients are reset", async (t) => {
  const { near, far, streams } = twoNodes(t);
  const [task, port] = [await tcpTask(t, echo), await freePort()];
  far.install(table([], [endpoint(1, task.port)]));
  near.install(table([tcpPort(port)], [remote(1)]));
  const client = await dial(t, port);
  client.write("hello");
  await once(client, "data");
  const end = ending(client);
  for (const stream of streams) stream.destroy(new Error("the connection was aborted"));
  assert.equal(await end, "reset");
  await until(() => near.stats().connectionsNow === 0, 2_000);
});

test("a task that speaks first is heard at once", async (t) => {
  const { near, far } = twoNodes(t);
  const port = await freePort();
  const task = await tcpTask(t, (socket) => socket.write("220 ready"));
  far.install(table([], [endpoint(2, task.port)]));
  for (const seen of [endpoint(1, task.port), remote(2)]) {
    near.install(table([tcpPort(port)], [seen]));
    const client = await dial(t, port);
    assert.equal(String((await once(client, "data"))[0]), "220 ready");
  }
});

test("a task whose proxy takes connections and drops them is left alone", async (t) => {
  const { near } = twoNodes(t);
  const [good, port] = [await tcpTask(t, named("good")), await freePort()];
  const hollow = await tcpTask(t, (socket) => socket.destroy());
  near.install(table([tcpPort(port)], [endpoint(1, good.port), endpoint(2, hollow.port)]));
  for (let count = 0; count < 60; count++) {
    const client = await dial(t, port);
    client.write("hello");
    await ending(client);
  }
  assert.ok(hollow.sockets.length <= 3, `${hollow.sockets.length} of 60`);
});

test("by default all addresses of the machine are listened on", async (t) => {
  const { near } = twoNodes(t, { listenAddress: "" });
  const [good, port] = [await tcpTask(t, named("good")), await freePort()];
  near.install(table([tcpPort(port)], [endpoint(1, good.port)]));
  for (const host of ["127.0.0.1", "127.0.0.2", "::1"]) {
    const client = net.connect({ port, host });
    const [chunk] = await once(client, "data").catch((error: NodeJS.ErrnoException) => [
      error.code,
    ]);
    client.destroy();
    // A machine may have no IPv6 at all.
    if (chunk !== "EADDRNOTAVAIL" || host !== "::1") assert.equal(String(chunk), "good", host);
  }
});

test("closing resets what is open, gives up what is tried, and leaves no timers", async (t) => {
  const clock = new FakeClock();
  const { near } = twoNodes(t, { clock, openStream: () => new Promise(() => {}) });
  const [good, ports] = [
    await tcpTask(t, echo),
    [await freePort(), await freePort(), await freePort()],
  ];
  const [open, held, stuck] = ports as [number, number, number];
  near.install({
    services: [
      ...routes("shop/a", open, endpoint(1, good.port)),
      ...routes("shop/b", held),
      ...routes("shop/c", stuck, remote(2)),
    ],
  });
  const clients = await Promise.all([dial(t, open), dial(t, held), dial(t, stuck)]);
  clients[0].write("hello");
  await once(clients[0], "data");
  await until(() => near.stats().connections === 3, 2_000);
  const endings = Promise.all(clients.map(ending));
  await near.close();
  assert.deepEqual(await endings, ["reset", "reset", "reset"]);
  assert.equal(clock.waiting, 0);
  for (const port of ports) assert.equal(await refusesDial(port), true);
});

function routes(
  service: string,
  port: number,
  ...endpoints: Parameters<typeof table>[1][number][]
) {
  const [route] = table([tcpPort(port)], endpoints).services;
  return route === undefined ? [] : [{ ...route, service: service as typeof route.service }];
}

test("a forwarder can be closed twice, and takes nothing after that", async (t) => {
  const { near } = twoNodes(t);
  const [good, port] = [await tcpTask(t, echo), await freePort()];
  await near.close();
  await near.close();
  near.install(table([tcpPort(port)], [endpoint(1, good.port)]));
  const [mine, theirs] = duplexPair();
  near.accept(theirs, there);
  assert.equal(theirs.destroyed, true);
  mine.destroy();
  const other = await tcpTask(t, echo);
  assert.equal(await refusesDial(other.port), false);
  assert.equal(await refusesDial(port), true);
});
