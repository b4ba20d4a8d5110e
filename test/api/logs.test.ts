import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "../../api/shapes.ts";
import { OperationError } from "../../model/problem.ts";
import { requestWindowMs } from "../../trust/request.ts";
import { until } from "../until.ts";
import { type FakeBackend, people, service, task } from "./fake-backend.ts";
import { type Api, type Apis, openApis, take } from "./mesh-of-apis.ts";

/** Replica 1 on the first node, 2 on the second, and so on. */
const ids = ["hello/web.1.a", "hello/web.2.b", "hello/web.3.c"] as const;

async function withApis(run: (apis: Apis) => Promise<void>): Promise<void> {
  const apis = await openApis();
  try {
    await run(apis);
  } finally {
    await apis.close();
  }
}

/** All nodes see the same tasks: one for each of the nodes whose index is given. */
function place(apis: readonly Api[], indexes: readonly number[]): void {
  const tasks = indexes.map((index) =>
    task(ids[index] ?? "", (apis[index] as Api).backend.self, { nodeName: `host${index + 1}` }),
  );
  for (const { backend } of apis) {
    backend.show({ services: [service("hello/web")], tasks });
  }
}

/** Collects in the background until it is stopped. */
function follow(lines: AsyncIterable<LogLine>) {
  const texts: string[] = [];
  const iterator = lines[Symbol.asyncIterator]();
  const ended = (async () => {
    for (;;) {
      const step = await iterator.next();
      if (step.done) return;
      texts.push(step.value.line);
    }
  })();
  ended.catch(() => undefined);
  return { texts, ended, stop: async () => void (await iterator.return?.()) };
}

async function has(texts: readonly string[], wanted: readonly string[]): Promise<void> {
  const what = `the lines ${wanted.join(", ")} (there are: ${texts.join(", ")})`;
  await until(() => wanted.every((line) => texts.includes(line)), 10_000, what);
}

for (const way of ["socket", "link"] as const) {
  test(`a service's logs come from all its nodes, by time, over a ${way}`, async () => {
    await withApis(async ({ apis, opened, overSocket, overLink }) => {
      place(apis, [0, 1, 2]);
      apis.forEach(({ backend }, index) => {
        for (let atMs = index; atMs < 30; atMs += 3) {
          backend.sessions.write(ids[index] ?? "", atMs, String(atMs));
        }
      });
      const client = way === "socket" ? overSocket : overLink;
      const lines = await take(
        (await client(people.operator)).logs({ service: "hello/web", follow: false }),
        100,
      );
      assert.deepEqual(
        lines.map(({ line }) => Number(line)),
        Array.from({ length: 30 }, (_, index) => index),
      );
      assert.deepEqual([...opened.values()], [1, 1], "one stream to each other node");
    });
  });
}

test("of a stack, of one task elsewhere, and of the last lines", async () => {
  await withApis(async ({ apis, overSocket }) => {
    place(apis, [0, 1]);
    apis.slice(0, 2).forEach(({ backend }, index) => {
      for (let line = 0; line < 5; line++)
        backend.sessions.write(ids[index] ?? "", line, `${index}-${line}`);
    });
    const client = await overSocket(people.operator);
    const read = async (query: object) =>
      (await take(client.logs({ follow: false, ...query }), 100)).map(({ line }) => line);
    assert.equal((await read({ stack: "hello" })).length, 10);
    assert.deepEqual(await read({ task: ids[1], tail: 2 }), ["1-3", "1-4"]);
    assert.deepEqual(await read({ service: "hello/web", sinceMs: 4 }), ["0-4", "1-4"]);
    assert.deepEqual(await read({ service: "hello/web", tail: 0 }), []);
  });
});

test("a node that is down takes its own lines away, says so, and no others", async () => {
  await withApis(async ({ apis, overSocket }) => {
    place(apis, [0, 1]);
    const [first] = apis;
    first.backend.sessions.write(ids[0], 1, "here");
    const { tasks } = first.backend.shown;
    first.backend.show({
      tasks: [tasks[0] as never, { ...(tasks[1] as object), standing: "orphaned" } as never],
    });
    const client = await overSocket(people.operator);
    const got: string[] = [];
    await assert.rejects(
      async () => {
        for await (const { line } of client.logs({ service: "hello/web", follow: false })) {
          got.push(line);
        }
      },
      (error) => error instanceof OperationError && error.message === "node host2 is down",
    );
    assert.deepEqual(got, ["here"]);
  });
});

test("a follower gets what is written here and elsewhere, and new tasks from their start", async () => {
  await withApis(async ({ apis, overSocket }) => {
    const [first, second] = apis;
    place(apis, [0, 1]);
    first.backend.sessions.write(ids[0], 1, "old");
    second.backend.sessions.write(ids[1], 1, "old elsewhere");
    const client = await overSocket(people.operator);
    const { texts, stop } = follow(client.logs({ service: "hello/web", follow: true, tail: 0 }));
    await until(() => second.backend.sessions.readers === 1, 10_000);
    first.backend.sessions.write(ids[0], 2, "new");
    second.backend.sessions.write(ids[1], 2, "new elsewhere");
    await has(texts, ["new", "new elsewhere"]);
    const fresh = { createdAtMs: Date.now() + 5 };
    first.backend.sessions.write("hello/web.4.d", 3, "fourth");
    second.backend.sessions.write("hello/web.5.e", 3, "fifth");
    const tasks = [
      task("hello/web.4.d", first.backend.self, fresh),
      task("hello/web.5.e", second.backend.self, fresh),
    ];
    for (const { backend } of apis) backend.show({ tasks: [...backend.shown.tasks, ...tasks] });
    await has(texts, ["fourth", "fifth"]);
    assert.deepEqual(texts.toSorted(), ["fifth", "fourth", "new", "new elsewhere"]);
    await stop();
    const readers = () => apis.map(({ backend }) => backend.sessions.readers).join();
    await until(() => readers() === "0,0,0", 10_000, "all logs left");
  });
});

test("a follower is led to the node where a replica moves, within its signature's life", async () => {
  await withApis(async ({ apis, opened, overLink }) => {
    const [first, second, third] = apis;
    place(apis, [0, 1]);
    second.backend.sessions.write(ids[1], 1, "before");
    const client = await overLink(people.operator);
    const { texts, stop } = follow(client.logs({ service: "hello/web", follow: true }));
    await has(texts, ["before"]);
    third.backend.sessions.write(ids[2], 2, "after");
    second.backend.sessions.end(ids[1]);
    place(apis, [0, 2]);
    await has(texts, ["after"]);
    assert.equal(opened.get(third.backend.self), 1);
    assert.equal(first.handler.counters()["api-requests"], 1);
    await stop();
  });
});

test("later the follower comes again with a fresh signature, and misses and repeats no line", async () => {
  await withApis(async ({ apis, overLink }) => {
    const [first, , third] = apis;
    place(apis, [0, 1]);
    const client = await overLink(people.operator);
    const { texts, stop } = follow(client.logs({ service: "hello/web", follow: true }));
    for (let line = 0; line < 50; line++)
      first.backend.sessions.write(ids[0], line >> 2, `a${line}`);
    await has(texts, ["a49"]);
    // Everybody's clock but the person's: the signature in use has expired.
    first.backend.nowMs += requestWindowMs;
    third.backend.sessions.write(ids[2], 20, "moved");
    place(apis, [0, 2]);
    // The person's next signature must fit the clock again.
    await until(() => first.backend.sessions.readers === 0, 10_000, "the renewal");
    first.backend.nowMs -= requestWindowMs;
    for (let line = 50; line < 60; line++)
      first.backend.sessions.write(ids[0], line >> 2, `a${line}`);
    await has(texts, ["moved", "a59"]);
    const own = texts.filter((text) => text.startsWith("a"));
    assert.deepEqual(
      own,
      Array.from({ length: 60 }, (_, index) => `a${index}`),
    );
    assert.equal(first.handler.counters()["api-requests"], 2);
    await stop();
  });
});

test("a follower comes through the loss of the way to a node that still runs tasks", async () => {
  await withApis(async ({ apis, overLink }) => {
    const [first, second] = apis;
    place(apis, [1]);
    second.backend.sessions.write(ids[1], 1, "one");
    const broken: { destroy(): void }[] = [];
    const { reach } = first.backend;
    first.backend.reach = (node) => {
      const stream = reach(node);
      broken.push(stream);
      return stream;
    };
    const client = await overLink(people.operator);
    const { texts, stop } = follow(client.logs({ service: "hello/web", follow: true }));
    await has(texts, ["one"]);
    broken[0]?.destroy();
    second.backend.sessions.write(ids[1], 2, "two");
    await has(texts, ["two"]);
    assert.deepEqual(texts, ["one", "two"]);
    await stop();
  });
});

test("a follower ends with its task, and with its service", async () => {
  await withApis(async ({ apis, overSocket }) => {
    const [first, second] = apis;
    place(apis, [0, 1]);
    first.backend.sessions.write(ids[0], 1, "x");
    second.backend.sessions.write(ids[1], 1, "y");
    const client = await overSocket(people.operator);
    const one = follow(client.logs({ task: ids[1] as never, follow: true }));
    await has(one.texts, ["y"]);
    const all = follow(client.logs({ service: "hello/web", follow: true }));
    await has(all.texts, ["x", "y"]);
    second.backend.sessions.end(ids[1]);
    await one.ended;
    first.backend.sessions.end(ids[0]);
    for (const { backend } of apis) backend.show({ services: [], tasks: [] });
    await all.ended;
  });
});

test("a reader that does not read slows its own sources down, wherever they are", async () => {
  await withApis(async ({ apis, overLink }) => {
    const [first, second] = apis;
    place(apis, [0, 1]);
    const long = "x".repeat(1_000);
    const total = 10_000;
    for (let line = 0; line < total; line++) {
      first.backend.sessions.write(ids[0], line, long);
      second.backend.sessions.write(ids[1], line, long);
    }
    const client = await overLink(people.operator);
    const lines = client.logs({ service: "hello/web", follow: true })[Symbol.asyncIterator]();
    await lines.next();
    const handedOut = (backend: FakeBackend) => backend.sessions.handedOut;
    await untilStill(() => handedOut(first.backend) + handedOut(second.backend));
    for (const { backend } of [first, second]) {
      assert.ok(handedOut(backend) < total / 10, `${handedOut(backend)} lines are under way`);
    }
    let read = 1;
    for (; read < 2 * total; read++) assert.equal((await lines.next()).done, false);
    assert.equal(handedOut(first.backend) + handedOut(second.backend), 2 * total);
    await lines.return?.();
  });
});

/** Until a count has been the same for several looks: nothing moves any more. */
async function untilStill(count: () => number): Promise<void> {
  let last = -1;
  let looks = 0;
  await until(() => {
    looks = count() === last ? looks + 1 : 0;
    last = count();
    return looks >= 5;
  }, 10_000);
}
