/** What becomes of a client's first question when the node it was asked of is lost. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { until } from "../until.ts";
import {
  dial,
  ending,
  endpoint,
  freePort,
  type Nodes,
  remote,
  table,
  tcpPort,
  tcpTask,
  twoNodes,
} from "./rooms.ts";

const question = "GET /cart HTTP/1.1\r\nHost: shop\r\n\r\n";
const answer = "HTTP/1.1 204 No Content\r\n\r\n";

type Scene = Nodes & {
  readonly client: net.Socket;
  /** What the first task has heard, on the other node. */
  readonly heard: string[];
  /** From now on the port leads to this node's task as well, which answers everything. */
  offerOwn(): Promise<{ heard: string[] }>;
};

/** A client has asked, through this node, a task of the other one that says nothing. */
async function asked(t: TestContext, said: string): Promise<Scene> {
  const nodes = twoNodes(t);
  const heard: string[] = [];
  const task = await tcpTask(t, (socket) => socket.on("data", (data) => heard.push(String(data))));
  const port = await freePort();
  nodes.far.install(table([], [endpoint(1, task.port)]));
  nodes.near.install(table([tcpPort(port)], [remote(1)]));
  const client = await dial(t, port);
  client.write(said);
  await until(() => heard.join("") === said, 2_000, "the first task has heard it");
  const offerOwn = async () => {
    const own: string[] = [];
    const second = await tcpTask(t, (socket) => {
      socket.on("data", (data) => {
        own.push(String(data));
        socket.end(answer);
      });
    });
    nodes.near.install(table([tcpPort(port)], [remote(1), endpoint(2, second.port)]));
    return { heard: own };
  };
  return { ...nodes, client, heard, offerOwn };
}

function lose(stream: Duplex | undefined, code = "ECONNABORTED"): void {
  stream?.destroy(Object.assign(new Error("gone"), { code }));
}

test("a GET is asked of another task, and its client notices nothing", async (t) => {
  const { client, streams, near, offerOwn } = await asked(t, question);
  const second = await offerOwn();
  lose(streams[0]);
  const [told] = (await once(client, "data")) as [Buffer];
  assert.equal(String(told), answer);
  client.end();
  assert.equal(await ending(client), "end");
  assert.deepEqual(second.heard, [question]);
  const { replays, connectFailures, connectionsRefused } = near.stats();
  assert.deepEqual([replays, connectFailures, connectionsRefused], [1, 0, 0]);
  await until(() => near.stats().connectionsNow === 0, 2_000);
});

test("where no other task is, one that appears in time is asked", async (t) => {
  const { client, streams, near, offerOwn } = await asked(t, question);
  lose(streams[0]);
  await until(() => near.stats().replays === 1, 2_000);
  await offerOwn();
  const [told] = (await once(client, "data")) as [Buffer];
  assert.equal(String(told), answer);
});

const firm: readonly [what: string, said: string, code?: string][] = [
  ["a POST", "POST /buy HTTP/1.1\r\nHost: shop\r\n\r\n"],
  ["what is not HTTP", "USER shop\r\n"],
  ["a GET that its task died of", question, "ECONNRESET"],
];

for (const [what, said, code] of firm) {
  test(`${what} is asked once, and its client is reset`, async (t) => {
    const { client, streams, near, offerOwn } = await asked(t, said);
    const second = await offerOwn();
    lose(streams[0], code);
    assert.equal(await ending(client), "reset");
    assert.deepEqual([second.heard, near.stats().replays], [[], 0]);
  });
}

test("a question whose answer has begun is asked once", async (t) => {
  const nodes = twoNodes(t);
  const task = await tcpTask(t, (socket) => socket.once("data", () => socket.write("HTTP/1.1 2")));
  const port = await freePort();
  nodes.far.install(table([], [endpoint(1, task.port)]));
  nodes.near.install(table([tcpPort(port)], [remote(1)]));
  const client = await dial(t, port);
  client.write(question);
  await once(client, "data");
  lose(nodes.streams[0]);
  assert.equal(await ending(client), "reset");
  assert.equal(nodes.near.stats().replays, 0);
});

test("a question is asked twice at most", async (t) => {
  const { client, streams, near } = await asked(t, question);
  const heard: string[] = [];
  const task = await tcpTask(t, (socket) => socket.on("data", (data) => heard.push(String(data))));
  const port = client.remotePort as number;
  near.install(table([tcpPort(port)], [remote(1), endpoint(2, task.port)]));
  lose(streams[0]);
  await until(() => heard.join("") === question, 2_000, "the second task has heard it");
  for (const socket of task.sockets) socket.resetAndDestroy();
  assert.equal(await ending(client), "reset");
  assert.equal(near.stats().replays, 1);
});

test("a client that has gone is not asked for", async (t) => {
  const { client, streams, near, offerOwn } = await asked(t, question);
  const second = await offerOwn();
  client.resetAndDestroy();
  await until(() => streams[0]?.destroyed === true, 2_000, "the stream's end");
  assert.deepEqual([second.heard, near.stats().replays], [[], 0]);
});

test("a client that speaks second is joined as it is", async (t) => {
  const nodes = twoNodes(t);
  const task = await tcpTask(t, (socket) => {
    socket.write("220 ready\r\n");
    socket.on("data", (data) => socket.end(data));
  });
  const port = await freePort();
  nodes.far.install(table([], [endpoint(1, task.port)]));
  nodes.near.install(table([tcpPort(port)], [remote(1)]));
  const client = await dial(t, port);
  const [greeting] = (await once(client, "data")) as [Buffer];
  assert.equal(String(greeting), "220 ready\r\n");
  client.end(question);
  const [echoed] = (await once(client, "data")) as [Buffer];
  assert.equal(String(echoed), question);
});

test("a client that has not spoken yet is joined to another task, and may speak to that", async (t) => {
  const { client, streams, near, far, offerOwn } = await asked(t, "");
  await until(() => far.stats().forwards === 1, 2_000);
  // The acceptance is on its way, and is read before the next turn has passed.
  await nextTurn();
  await nextTurn();
  const second = await offerOwn();
  lose(streams[0]);
  await until(() => near.stats().replays === 1, 2_000);
  client.write("POST /buy HTTP/1.1\r\n\r\n");
  const [told] = (await once(client, "data")) as [Buffer];
  assert.equal(String(told), answer);
  assert.deepEqual(second.heard, ["POST /buy HTTP/1.1\r\n\r\n"]);
});
