import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Client } from "../../api/client.ts";
import { writeFrames } from "../../api/exec-frames.ts";
import { serveExec } from "../../api/exec-session.ts";
import { OperationError } from "../../model/problem.ts";
import type { ExecOptions, ExecSession } from "../../ports.ts";
import { until } from "../until.ts";
import { people, revoke, streamPair, task } from "./fake-backend.ts";
import { type FakeExec, FakeSessions } from "./fake-sessions.ts";
import { type Apis, openApis } from "./mesh-of-apis.ts";
import { authorization } from "./requests.ts";

const here = "hello/web.1.a" as never;
const elsewhere = "hello/web.2.b" as never;
const base: ExecOptions = { command: [], tty: false, stdin: true, env: {} };

type Way = { readonly name: string; run(client: Client, command: string[]): Promise<ExecSession> };
const places: readonly Way[] = [
  { name: "here", run: (client, command) => client.exec(here, { ...base, command }) },
  { name: "elsewhere", run: (client, command) => client.exec(elsewhere, { ...base, command }) },
];

async function withApis(
  run: (client: Client, apis: Apis["apis"], all: Apis) => Promise<void>,
): Promise<void> {
  const all = await openApis();
  const [first, second] = all.apis;
  const tasks = [task(here, first.backend.self), task(elsewhere, second.backend.self)];
  for (const { backend } of all.apis) backend.show({ tasks });
  try {
    await run(await all.overLink(people.operator), all.apis, all);
  } finally {
    await all.close();
  }
}

function execsOf(apis: Apis["apis"]): FakeExec[] {
  return apis.flatMap(({ backend }) => backend.sessions.execs.map(({ session }) => session));
}

async function collect({ output }: ExecSession) {
  const parts = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  for await (const { stream, data } of output) parts[stream].push(data.slice());
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}

for (const { name, run } of places) {
  test(`a command ${name} gets its input, gives both outputs and its exit code`, async () => {
    await withApis(async (client) => {
      const session = await run(client, ["cat"]);
      const output = collect(session);
      const input = randomBytes(300_000);
      await session.write(input.subarray(0, 100));
      await session.write(input.subarray(100));
      session.endInput();
      const { stdout, stderr } = await output;
      assert.equal(Buffer.compare(stdout, input), 0);
      assert.equal(Buffer.compare(stderr, input), 0);
      assert.equal(await session.done, 0);
      const failing = await run(client, ["exit", "42"]);
      await collect(failing);
      assert.equal(await failing.done, 42);
    });
  });

  test(`a terminal ${name} is told its size`, async () => {
    await withApis(async (client) => {
      const session = await run(client, ["size"]);
      session.resize(80, 24);
      session.resize(120, 50);
      session.endInput();
      assert.equal((await collect(session)).stdout.toString(), "80x24\n120x50\n");
    });
  });

  test(`a reader that does not read slows a command ${name} down`, async () => {
    await withApis(async (client, apis) => {
      const total = 20 * 1024 * 1024;
      const session = await run(client, ["flood", String(total)]);
      const [exec] = execsOf(apis) as [FakeExec];
      let last = -1;
      await until(() => {
        const isStill = exec.printed === last && last > 0;
        last = exec.printed;
        return isStill;
      }, 10_000);
      assert.ok(exec.printed < total / 4, `${exec.printed} bytes are under way`);
      let bytes = 0;
      for await (const { data } of session.output) bytes += data.length;
      assert.equal(bytes, total);
      assert.equal(await session.done, 0);
    });
  });

  test(`a command ${name} that takes no input slows its writer down`, async () => {
    await withApis(async (client, apis) => {
      const session = await run(client, ["deaf"]);
      const chunk = new Uint8Array(64 * 1024);
      let written = 0;
      let isWriting = true;
      const writing = (async () => {
        for (; isWriting && written < 1_000; written++) await session.write(chunk);
      })();
      writing.catch(() => undefined);
      let last = -1;
      await until(() => {
        const isStill = written === last && last > 0;
        last = written;
        return isStill;
      }, 10_000);
      assert.ok(written < 100, `${written} chunks are under way`);
      isWriting = false;
      session.kill();
      await until(() => execsOf(apis).every(({ kills }) => kills > 0), 10_000, "its end");
    });
  });

  test(`a person who goes away takes a command ${name} along`, async () => {
    await withApis(async (client, apis) => {
      const session = await run(client, ["deaf"]);
      session.kill();
      await until(() => execsOf(apis).every(({ kills }) => kills > 0), 10_000, "its end");
      await assert.rejects(session.done, OperationError);
    });
  });

  test(`a command ${name} that cannot be run, or breaks, is a problem`, async () => {
    await withApis(async (client) => {
      await assert.rejects(run(client, ["nonsense"]), (error) => {
        return error instanceof OperationError && error.problems[0]?.code === "command-not-found";
      });
      const session = await run(client, ["fail", "x"]);
      const isFailure = (error: unknown) =>
        error instanceof OperationError && error.problems[0]?.code === "exec-failed";
      await assert.rejects(collect(session), isFailure);
      await assert.rejects(session.done, isFailure);
    });
  });
}

test("everything that is asked of a command reaches it", async () => {
  await withApis(async (client) => {
    const options = {
      command: ["env", "-x", "ü"],
      tty: true,
      stdin: false,
      env: { LEVEL: "debug" },
      user: "nobody",
      workingDir: "/tmp",
    };
    const session = await client.exec(elsewhere, options);
    assert.deepEqual(JSON.parse((await collect(session)).stdout.toString()), options);
  });
});

test("a command line too long for a header is refused before it is sent", async () => {
  await withApis(async (client, apis) => {
    const command = ["env", "x".repeat(40_000)];
    await assert.rejects(client.exec(here, { ...base, command }), (error) => {
      return error instanceof OperationError && error.problems[0]?.code === "request-too-large";
    });
    const session = await client.exec(elsewhere, {
      ...base,
      command: ["env", "x".repeat(31_000)],
    });
    await collect(session);
    assert.equal(await session.done, 0);
    assert.equal(execsOf(apis).length, 1);
  });
});

test("a command ends when the person loses the role", async () => {
  await withApis(async (client, apis) => {
    const session = await client.exec(here, { ...base, command: ["deaf"] });
    const reading = assert.rejects(collect(session), OperationError);
    apis[0].backend.learn(revoke(people.operator));
    await reading;
    await until(() => execsOf(apis).every(({ kills }) => kills > 0), 10_000, "its end");
  });
});

test("a session's stream that speaks garbage ends the command, and nothing else", async () => {
  await withApis(async (client, apis, { overLink }) => {
    const [near, far] = streamPair();
    apis[0].accept(far, people.operator.id);
    const path = `/v1/exec?task=${encodeURIComponent(here)}`;
    const body = { ...base, command: ["deaf"] };
    const token = authorization({ method: "POST", path, body, by: people.operator }, Date.now());
    const options = Buffer.from(JSON.stringify(body)).toString("base64url");
    near.write(
      `POST ${path} HTTP/1.1\r\nhost: a\r\nauthorization: ${token}\r\nconnection: upgrade\r\n` +
        `upgrade: shoal-exec/1\r\nx-shoal-body: ${options}\r\n\r\n`,
    );
    near.write(randomBytes(50_000));
    near.resume();
    await until(() => execsOf(apis).some(({ kills }) => kills > 0), 10_000, "its end");
    assert.equal((await client.version()).version, "0.1.0");
    assert.equal((await (await overLink(people.viewer)).version()).version, "0.1.0");
    near.destroy();
  });
});

test("a person's process that dies is noticed though the command neither reads nor prints", async () => {
  const directory = mkdtempSync(join(tmpdir(), "shoal-exec-"));
  const path = join(directory, "a.sock");
  const session = await new FakeSessions().exec(here, { ...base, command: ["deaf"] });
  const serving: Promise<void>[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    serving.push(serveExec(socket, session, 20));
  });
  server.listen(path);
  await once(server, "listening");
  const socket = connect(path);
  // More than the kernel takes, so that the end of it is never read.
  for (const bytes of writeFrames({ kind: "stdin", data: new Uint8Array(2 ** 20) })) {
    socket.write(bytes);
  }
  await until(() => (session as FakeExec).received > 0, 10_000);
  socket.destroy();
  await Promise.all(serving);
  assert.ok((session as FakeExec).kills > 0);
  server.close();
  rmSync(directory, { recursive: true });
});
