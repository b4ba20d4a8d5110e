import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openClient } from "../../api/client.ts";
import { Handler } from "../../api/handler.ts";
import { routes } from "../../api/routes.ts";
import { ApiServer } from "../../api/server.ts";
import { OperationError } from "../../model/problem.ts";
import type { MeshEvent } from "../../model/view.ts";
import { until } from "../until.ts";
import { FakeBackend, facts, mesh, people, service, task } from "./fake-backend.ts";
import { type Apis, openApis, take } from "./mesh-of-apis.ts";

const root = mkdtempSync(join(tmpdir(), "shoal-server-"));
after(() => rmSync(root, { recursive: true, force: true }));

async function withApis(run: (apis: Apis) => Promise<void>, limits = {}): Promise<void> {
  const apis = await openApis(limits);
  try {
    await run(apis);
  } finally {
    await apis.close();
  }
}

function fails(code: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof OperationError, String(error));
    assert.equal(error.problems[0]?.code, code);
    return true;
  };
}

const ways = ["the socket", "a link"] as const;

for (const way of ways) {
  test(`every route has a method of the client, which works over ${way}`, async () => {
    await withApis(async ({ apis: [first], overSocket, overLink }) => {
      const { backend } = first;
      backend.show({
        services: [service("hello/web")],
        tasks: [task("hello/web.1.a", backend.self)],
      });
      backend.sessions.write("hello/web.1.a", 10, "one");
      const client =
        way === "the socket" ? await overSocket(people.admin) : await overLink(people.admin);
      const missing = Object.keys(routes).filter((name) => !(name in client));
      assert.deepEqual(missing, []);
      assert.deepEqual(await client.version(), { version: "0.1.0", mesh, node: backend.self });
      assert.deepEqual(await client.view(), backend.shown);
      assert.equal((await client.drafts(["a", "b"])).length, 2);
      const revisions = [new Uint8Array([1, 2, 255])];
      const written = await client.write({ revisions, facts: [...facts] });
      assert.deepEqual(written, { revisions: ["r0"], peers: 2 });
      assert.deepEqual(backend.written[0], { revisions, facts: [...facts] });
      assert.equal((await client.plan([], ["service/a/b"])).steps[0]?.action, "remove");
      assert.deepEqual(await client.trust(), backend.trustFacts());
      assert.equal((await take(client.logs({ service: "hello/web", follow: false }), 9)).length, 1);
      assert.deepEqual(await client.stats("hello/web.1.a" as never), {
        cpu: 0.5,
        memoryBytes: 1024,
        pids: 2,
      });
      assert.equal((await client.state())["frames-dropped"], 3);
      await client.leave();
      assert.equal(backend.left, 1);
    });
  });
}

test("the socket is for this user alone, and goes with the agent", async () => {
  const socket = join(root, "mode.sock");
  const handler = new Handler(new FakeBackend());
  const server = await ApiServer.open({ handler, socket, onBug: assert.fail });
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  await server.close();
  assert.equal(existsSync(socket), false);
});

test("a socket left over by an agent that died is taken over", async () => {
  const socket = join(root, "stale.sock");
  const dead = createServer();
  dead.listen(socket);
  await once(dead, "listening");
  // What a crash leaves: the file without a listener.
  const { renameSync, linkSync } = await import("node:fs");
  linkSync(socket, `${socket}.kept`);
  dead.close();
  await once(dead, "close");
  renameSync(`${socket}.kept`, socket);
  const server = await ApiServer.open({
    handler: new Handler(new FakeBackend()),
    socket,
    onBug: assert.fail,
  });
  const client = await openClient({ unix: socket });
  assert.equal((await client.version()).mesh, mesh);
  await server.close();
});

test("a socket that another agent answers at is left alone", async () => {
  const socket = join(root, "taken.sock");
  const handler = new Handler(new FakeBackend());
  const server = await ApiServer.open({ handler, socket, onBug: assert.fail });
  const again = ApiServer.open({ handler, socket, onBug: assert.fail });
  await assert.rejects(again, fails("data-directory-locked"));
  assert.equal((await (await openClient({ unix: socket })).version()).mesh, mesh);
  await server.close();
});

test("a file that is no socket is never removed, and a missing directory is a problem", async () => {
  const path = join(root, "file");
  writeFileSync(path, "precious");
  const handler = new Handler(new FakeBackend());
  for (const socket of [path, join(root, "none", "a.sock"), join(root, "x".repeat(200))]) {
    const opening = ApiServer.open({ handler, socket, onBug: assert.fail });
    await assert.rejects(opening, fails("data-directory-unwritable"));
  }
  assert.ok(existsSync(path));
});

test("where no agent is, the client says so", async () => {
  const client = await openClient({ unix: join(root, "none.sock") });
  await assert.rejects(client.view(), fails("agent-not-running"));
  await assert.rejects(take(client.events(), 1), fails("agent-not-running"));
  await assert.rejects(
    client.exec("a" as never, { command: ["a"], tty: false, stdin: false, env: {} }),
    fails("agent-not-running"),
  );
});

test("an agent that goes away in the middle of an answer is a problem, not an end", async () => {
  const socket = join(root, "breaks.sock");
  const lines = `${JSON.stringify({ atMs: 1, kind: "node", action: "up", subject: "a", detail: "" })}\n`;
  const cut = createServer((stream) => {
    stream.once("data", () => {
      stream.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n`);
      stream.write(`${lines.length.toString(16)}\r\n${lines}\r\n`);
      setImmediate(() => stream.destroy());
    });
    stream.on("error", () => undefined);
  });
  cut.listen(socket);
  await once(cut, "listening");
  const client = await openClient({ unix: socket });
  const got: MeshEvent[] = [];
  await assert.rejects(async () => {
    for await (const event of client.events()) got.push(event);
  }, fails("peer-unreachable"));
  assert.equal(got.length, 1);
  await assert.rejects(client.view(), OperationError);
  cut.close();
});

test("events are JSON lines from the head of the answer on, for anybody with a socket", async () => {
  await withApis(
    async ({ apis: [first] }) => {
      const asked = request({ socketPath: first.socket, path: "/v1/events", agent: false }).end();
      const [response] = await once(asked, "response");
      first.backend.show({ services: [service("bench/quiet")] });
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      // Spaces between lines are the heartbeat: no part of what is said.
      await until(() => /\n +$/.test(text), 5_000, "a line and a heartbeat after it");
      const [line = ""] = text.split("\n");
      const event = JSON.parse(line) as MeshEvent;
      assert.deepEqual([event.kind, event.subject], ["service", "bench/quiet"]);
      asked.destroy();
      await until(() => first.backend.listeners.size === 0, 5_000, "nobody listening any more");
    },
    { heartbeatMs: 20 },
  );
});

test("a storm of changes is one view for all who follow, and the last state is always told", async () => {
  await withApis(async ({ apis: [first], overSocket }) => {
    const { backend } = first;
    const client = await overSocket();
    const streams = [client.events(), client.events(), client.events()];
    const iterators = streams.map((events) => events[Symbol.asyncIterator]());
    const firsts = iterators.map((iterator) => iterator.next());
    await until(() => backend.listeners.size > 0, 5_000);
    const before = backend.views;
    for (let replicas = 1; replicas <= 1000; replicas++) {
      backend.show({ services: [service("hello/web", { replicas })] });
    }
    await Promise.all(firsts);
    backend.show({ services: [service("hello/web", { replicas: 7 })] });
    for (const iterator of iterators) {
      for (;;) {
        const step = await iterator.next();
        if (!step.done && step.value.detail.endsWith("to 7 replicas")) break;
      }
      await iterator.return?.();
    }
    assert.ok(backend.views - before < 20, `${backend.views - before} views for three followers`);
  });
});

test("a stream ends when it is left, and when its signal says so, even while nothing happens", async () => {
  await withApis(async ({ apis: [first], overSocket }) => {
    const client = await overSocket();
    const left = client.events()[Symbol.asyncIterator]();
    const waiting = left.next();
    await until(() => first.backend.listeners.size === 1, 5_000);
    await left.return?.();
    assert.equal((await waiting).done, true);
    await until(() => first.backend.listeners.size === 0, 5_000, "the server's end");
    const stop = new AbortController();
    const stopped = take(client.events(stop.signal), 1);
    await until(() => first.backend.listeners.size === 1, 5_000);
    stop.abort();
    assert.deepEqual(await stopped, []);
    await until(() => first.backend.listeners.size === 0, 5_000, "the server's end");
  });
});

test("an agent that stops tells those who follow, and does not wait for them", async () => {
  const apis = await openApis();
  const [first] = apis.apis;
  const client = await apis.overSocket();
  const following = assert.rejects(take(client.events(), 1), fails("overloaded"));
  await until(() => first.backend.listeners.size === 1, 5_000);
  const startedMs = performance.now();
  await first.server.close();
  await following;
  assert.ok(performance.now() - startedMs < 1_500);
  await apis.close();
});

test("a bug behind a route is told to the agent, and to the caller without its insides", async () => {
  const apis = await openApis();
  const [first] = apis.apis;
  first.backend.view = () => {
    throw new TypeError("secret insides");
  };
  const client = await apis.overSocket();
  await assert.rejects(client.view(), (error) => {
    return fails("request-invalid")(error) && !String(error).includes("secret");
  });
  assert.match(String(first.bugs[0]), /secret insides/);
  first.bugs.length = 0;
  await apis.close();
});
