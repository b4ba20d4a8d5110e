/**
 * A hundred thousand requests that nobody sane would send, the same ones each time: 80,000 to the
 * handler, 20,000 as bytes to the server. Nothing may throw, hang, stay open or pile up.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Handler } from "../../api/handler.ts";
import { until } from "../until.ts";
import { FakeBackend, people, service, streamPair, task } from "./fake-backend.ts";
import { type Apis, openApis } from "./mesh-of-apis.ts";
import { diceOf, goodRequests, mutate, type Raw, toHttp } from "./mutation.ts";
import { local, overLink } from "./requests.ts";

const seed = 20_260_117;
const handled = 80_000;
const sent = 20_000;
/** What a thousand requests may leave behind is far less than a byte each. */
const growthBytesMax = 8 * 1024 * 1024;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

function fill(backend: FakeBackend): void {
  const id = "hello/web.1.a";
  backend.show({ services: [service("hello/web")], tasks: [task(id, backend.self)] });
  for (let line = 0; line < 5; line++) backend.sessions.write(id, line, "a line");
}

/** Nobody may make an agent keep what they wrote: only the count is of interest. */
function forget(backend: FakeBackend): void {
  backend.written.length = 0;
  backend.sessions.execs.length = 0;
}

async function handle(
  handler: Handler,
  raw: Raw,
  isLocal: boolean,
  only: boolean,
): Promise<number> {
  const ended = new AbortController();
  const origin = isLocal ? local : overLink;
  const answer = await handler.handle({ ...raw, origin, only, signal: ended.signal });
  // A follower leaves at once; its stream must end by that.
  if (answer.kind === "lines") {
    setImmediate(() => ended.abort());
    try {
      for await (const line of answer.lines) JSON.stringify(line);
    } catch (error) {
      assert.match(String(error), /OperationError/);
    }
    return 200;
  }
  ended.abort();
  if (answer.kind === "session") answer.abandon();
  return answer.kind === "answer" ? answer.status : 101;
}

test(`the handler answers ${handled} mutated requests, each with a status`, async () => {
  const backend = new FakeBackend();
  fill(backend);
  const handler = new Handler(backend);
  const dice = diceOf(seed);
  const good = goodRequests(backend.nowMs);
  const statuses = new Map<number, number>();
  let before = 0;
  for (let count = 0; count < handled; count++) {
    if (count === handled / 2) before = heapBytes();
    const raw = mutate(dice.pick(good), dice);
    const status = await handle(handler, raw, dice.below(3) === 0, dice.below(4) === 0);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (count % 1_000 === 0) forget(backend);
  }
  forget(backend);
  assert.equal(statuses.get(500) ?? 0, 0);
  // All kinds of answers were met: the mutations reach behind the first check.
  for (const status of [200, 400, 401, 403, 404, 101]) {
    assert.ok((statuses.get(status) ?? 0) > 20, `${status}: ${statuses.get(status)} times`);
  }
  const growth = heapBytes() - before;
  assert.ok(growth < growthBytesMax, `${growth} bytes more`);
  assert.equal(backend.listeners.size, 0);
  assert.equal(backend.sessions.readers, 0);
});

test(`the server survives ${sent} requests of mutated bytes, and keeps none of them`, async () => {
  const apis = await openApis({ headMsMax: 500, requestMsMax: 500, connectionsMax: 1_000 });
  try {
    await bombard(apis);
  } finally {
    await apis.close();
  }
});

async function bombard(apis: Apis): Promise<void> {
  const [api] = apis.apis;
  fill(api.backend);
  const dice = diceOf(seed + 1);
  const good = goodRequests(Date.now());
  const perConnection = 4;
  const batch = 250;
  let before = 0;
  let answered = 0;
  for (let count = 0; count < sent; count += batch * perConnection) {
    if (count >= sent / 2 && before === 0) before = heapBytes();
    const streams = Array.from({ length: batch }, (_, index) => {
      const [near, far] = streamPair();
      near.on("error", () => undefined);
      near.on("data", (chunk: Buffer) => {
        if (chunk.includes("HTTP/1.1 ")) answered++;
      });
      api.accept(far, index % 2 === 0 ? people.viewer.id : `peer-${index}`);
      for (let request = 0; request < perConnection; request++) {
        near.write(toHttp(mutate(dice.pick(good), dice), dice), "latin1");
      }
      near.end();
      return near;
    });
    // A request that is cut short waits for its rest, which does not come.
    await until(
      () => streams.every(({ readableEnded, closed }) => readableEnded || closed),
      20_000,
    );
    for (const stream of streams) stream.destroy();
    await until(() => api.server.counters()["api-connections"] === 0, 20_000, "all are let go");
    forget(api.backend);
  }
  assert.ok(answered > sent / 10, `${answered} answers`);
  // What waits for a time that has passed meanwhile goes with its timer.
  const isBack = () => heapBytes() - before < growthBytesMax;
  await until(isBack, 60_000, "the heap as it was before the second half");
  assert.equal(api.server.counters()["api-body-bytes"], 0);
  assert.equal(api.backend.listeners.size, 0);
  assert.deepEqual(api.bugs, []);
  const client = await apis.overSocket(people.admin);
  assert.equal((await client.view()).services.length, 1);
}
