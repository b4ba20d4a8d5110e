/** A Docker socket behind which something else answers, or answers badly. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { openDockerEngine } from "../../engine/docker/docker-engine.ts";
import { labelsOf } from "../../engine/docker/labels.ts";
import type { Engine, Sessions, StartOrder } from "../../ports.ts";
import { until } from "../until.ts";
import { newMesh, newOrder, newSpec, node } from "./orders.ts";
import { patienceMs, Watcher } from "./watcher.ts";

const directory = mkdtempSync(join(tmpdir(), "shoal-hostile-"));
const mesh = newMesh();
const closing: (() => void)[] = [];
let sockets = 0;

afterEach(() => {
  for (const close of closing.splice(0)) close();
});
after(() => rmSync(directory, { recursive: true }));

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers of a daemon without containers; `special` by the beginning of the path. */
async function serve(special: Readonly<Record<string, Answer>>): Promise<string> {
  const server: Server = createServer((request, response) => {
    const url = request.url ?? "";
    const key = Object.keys(special).find((path) => url.startsWith(path));
    if (key !== undefined) special[key]?.(request, response);
    else if (url === "/_ping") response.end("OK");
    else if (url.startsWith("/events")) response.flushHeaders();
    else if (url.startsWith("/containers/json")) response.end("[]");
    else response.writeHead(404).end('{"message":"no such thing"}');
  });
  const socketPath = join(directory, `${sockets++}.sock`);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return socketPath;
}

function open(socketPath: string) {
  const said: string[] = [];
  const log = (line: string) => said.push(line);
  const engine: Engine & Sessions = openDockerEngine({ socketPath, nodeName: "first", log });
  closing.push(() => engine.close());
  const watcher = new Watcher(engine);
  engine.open({ mesh, node });
  return { engine, watcher, said };
}

const order: StartOrder = newOrder(
  mesh,
  newSpec({
    kind: "container",
    image: "x:1",
    pull: "never",
    env: {},
    containerLabels: {},
    mounts: [],
  }),
);

const strange: [name: string, special: Readonly<Record<string, Answer>>][] = [
  ["says no to everything", { "/": (_, response) => response.writeHead(500).end("{}") }],
  ["closes every connection", { "/": (request) => request.socket.destroy() }],
  [
    "closes in the middle of an answer",
    {
      "/containers/json": (request, response) => {
        response.writeHead(200, { "content-length": 1_000 });
        response.write("[");
        setImmediate(() => request.socket.destroy());
      },
    },
  ],
  ["lists what is no list", { "/containers/json": (_, response) => response.end('{"a":1}') }],
  ["lists nonsense", { "/containers/json": (_, response) => response.end("<html>") }],
  ["has no events", { "/events": (_, response) => response.writeHead(404).end() }],
];

for (const [name, special] of strange) {
  test(`a daemon that ${name} is unavailable, again and again`, async () => {
    const { engine, watcher } = open(await serve(special));
    const report = await watcher.untilReport("unavailable");
    assert.equal(report.kind === "unavailable" && report.problem.code, "engine-unavailable");
    engine.start(order);
    engine.stop({ task: order.task, graceMs: 0, signal: "SIGTERM" });
    engine.remove(order.task);
    assert.ok(watcher.reports.every(({ kind }) => kind === "unavailable"));
  });
}

test("a socket that speaks another language is unavailable", async () => {
  const server = createSocketServer((socket) => {
    socket.on("error", () => {});
    socket.end("SSH-2.0-OpenSSH_9.2\r\n");
  });
  const socketPath = join(directory, "other.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  closing.push(() => server.close());
  const { watcher } = open(socketPath);
  await watcher.untilReport("unavailable");
});

test("events that are none are passed over, however they come", async () => {
  let asked = 0;
  const { watcher } = open(
    await serve({
      "/events": (_, response) => {
        response.write(
          'nonsense\n{"Action":5}\n{"Actor":null,"Action":"die"}\n\n{"Action":"die","Ac',
        );
        response.write('tor":{"ID":"abc"}}\n');
        response.write("x".repeat(200_000));
      },
      "/containers/abc/json": (_, response) => {
        asked++;
        response.writeHead(404).end('{"message":"No such container: abc"}');
      },
    }),
  );
  await watcher.untilReport("observed");
  await until(() => asked > 0, patienceMs, "the question about abc");
  assert.deepEqual(watcher.tasks, []);
});

test("a container that makes no sense does not hide the others", async () => {
  const list = ["one", "two"].map((Id) => ({ Id, State: "running", Status: "Up" }));
  const info = (extra: object) => ({ Config: { Labels: labelsOf(order, 5) }, ...extra });
  const { watcher, said } = open(
    await serve({
      "/containers/json": (_, response) => response.end(JSON.stringify(list)),
      "/containers/one/json": (_, response) =>
        response.end(JSON.stringify(info({ Id: "one", State: { Status: "running" } }))),
      "/containers/two/json": (_, response) =>
        response.end(
          JSON.stringify(
            info({
              Id: "two",
              State: { Status: "exited", ExitCode: 4, StartedAt: "2026-09-01T00:00:00Z" },
              HostConfig: {},
              NetworkSettings: {},
            }),
          ),
        ),
    }),
  );
  await watcher.untilReport("observed");
  assert.equal(watcher.task(order.task)?.exitCode, 4);
  assert.ok(said.some((line) => line.includes("one is not understood")));
});

test("a task whose image takes for ever to pull can be stopped and forgotten", async () => {
  let pulls = 0;
  const { engine, watcher } = open(
    await serve({
      "/images/create": (_, response) => {
        pulls++;
        response.write('{"status":"Pulling from library/x"}\n');
      },
    }),
  );
  await watcher.untilReport("observed");
  const workload = { ...order.spec.workload, pull: "always" } as const;
  const pulling = newOrder(mesh, newSpec(workload));
  engine.start(pulling);
  await until(() => pulls === 1, patienceMs, "the pull");
  assert.equal(watcher.task(pulling.task)?.state, "preparing");
  engine.stop({ task: pulling.task, graceMs: 0, signal: "SIGTERM" });
  assert.equal((await watcher.untilOver(pulling.task)).state, "exited");
  engine.remove(pulling.task);
  await watcher.untilGone(pulling.task);
});

test("tasks of one image wait for one pull, and hear of its failure alike", async () => {
  let pulls = 0;
  const { engine, watcher } = open(
    await serve({
      "/images/create": (_, response) => {
        pulls++;
        response.write('{"status":"Pulling"}\n');
        setTimeout(() => response.end('{"error":"toomanyrequests: slow down"}\n'), 300);
      },
    }),
  );
  await watcher.untilReport("observed");
  const workload = { ...order.spec.workload, pull: "always" } as const;
  const orders = [1, 2, 3].map(() => newOrder(mesh, newSpec(workload)));
  for (const one of orders) engine.start(one);
  for (const { task } of orders) {
    assert.equal((await watcher.untilOver(task)).problem?.code, "image-pull-failed");
  }
  assert.equal(pulls, 1);
});
