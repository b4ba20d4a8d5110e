import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import { until } from "../until.ts";
import {
  dial,
  echo,
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
