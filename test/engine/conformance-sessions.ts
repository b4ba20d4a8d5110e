/** What people can ask of every engine: logs and commands. */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { OperationError } from "../../model/problem.ts";
import type { LogOptions } from "../../ports.ts";
import { until } from "../until.ts";
import {
  type EngineBench,
  logOf,
  type RunningTask,
  runCommand,
  untilLine,
} from "./engine-bench.ts";
import { patienceMs } from "./watcher.ts";

export function conformLogs(bench: EngineBench): void {
  describe("logs", () => {
    test("have every line with its stream and a time", async () => {
      const beforeMs = Date.now();
      const { engine, watcher, task } = await bench.runScript(
        "echo one; sleep 0.6; echo two >&2; sleep 0.6; printf 'three\\r\\nfour'; exit 0",
      );
      await watcher.untilOver(task);
      const lines = await logOf(engine, task);
      assert.deepEqual(
        lines.map(({ stream, line }) => `${stream} ${line}`),
        ["stdout one", "stderr two", "stdout three", "stdout four"],
      );
      for (const { atMs, task: of } of lines) {
        assert.equal(of, task);
        assert.ok(atMs >= beforeMs - 1_000 && atMs <= Date.now(), String(atMs));
      }
      const times = lines.map(({ atMs }) => atMs);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      );
    });

    test("give the last lines, and those since a time", async () => {
      const { engine, watcher, task } = await bench.runScript(
        "for i in 1 2 3; do echo $i; done; sleep 1; for i in 4 5; do echo $i; done",
      );
      await watcher.untilOver(task);
      const lines = async (options: Partial<LogOptions>) =>
        (await logOf(engine, task, options)).map(({ line }) => line).join(" ");
      assert.equal(await lines({ tail: 2 }), "4 5");
      assert.equal(await lines({ tail: 0 }), "");
      assert.equal(await lines({ tail: 99 }), "1 2 3 4 5");
      const all = await logOf(engine, task);
      const sinceMs = (all.at(-1)?.atMs ?? 0) - 300;
      assert.equal(await lines({ sinceMs }), "4 5");
      assert.equal(await lines({ sinceMs, tail: 1 }), "5");
    });

    test("follow a task to its end", async () => {
      const { engine, watcher, task } = await bench.runScript(
        "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two",
      );
      await watcher.untilReady(task);
      const seen: string[] = [];
      const { signal } = new AbortController();
      for await (const { line } of engine.logs(task, { follow: true, signal })) {
        seen.push(line);
        if (line === "one") await runCommand(engine, task, { command: ["touch", "go"] });
      }
      assert.deepEqual(seen, ["one", "two"]);
    });

    test("follow from the last lines on", async () => {
      const { engine, watcher, task } = await bench.runScript(
        "echo 1; echo 2; echo 3; while [ ! -e go ]; do sleep 0.05; done; echo 4; echo 5",
      );
      await watcher.untilReady(task);
      await untilLine(engine, task, "3");
      const seen: string[] = [];
      const { signal } = new AbortController();
      for await (const { line } of engine.logs(task, { follow: true, tail: 1, signal })) {
        seen.push(line);
        if (line === "3") await runCommand(engine, task, { command: ["touch", "go"] });
      }
      assert.deepEqual(seen, ["3", "4", "5"]);
    });

    test("end when nobody wants them any more", async () => {
      const { engine, watcher, task } = await bench.runScript("echo one; sleep 600");
      await watcher.untilReady(task);
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const { line } of engine.logs(task, { follow: true, signal: stop.signal })) {
        seen.push(line);
        setImmediate(() => stop.abort());
      }
      assert.deepEqual(seen, ["one"]);
      assert.deepEqual(await logOf(engine, task, { signal: AbortSignal.abort() }), []);
    });

    test("hold more than a buffer, and lines longer than one", async () => {
      const { engine, watcher, task } = await bench.runScript(
        "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; " +
          "head -c 100000 /dev/zero | tr '\\0' x; echo",
      );
      await watcher.untilOver(task);
      const lines = await logOf(engine, task);
      assert.equal(lines[2999]?.line, "line 2999");
      const rest = lines.slice(3000).map(({ line }) => line);
      assert.equal(rest.join(""), "x".repeat(100_000));
    });
  });
}

export function conformExec(bench: EngineBench): void {
  describe("exec", () => {
    /** One for all of these: none of them changes it. */
    let shared: RunningTask | undefined;
    let giveBack = (): void => {};

    async function sleeper(): Promise<RunningTask> {
      if (shared === undefined) {
        shared = await bench.runScript("sleep 600");
        await shared.watcher.untilReady(shared.task);
        giveBack = bench.keep();
      }
      return shared;
    }

    after(() => giveBack());

    test("passes input, both outputs, the environment and the exit code", async () => {
      const { engine, task } = await sleeper();
      const command = ["sh", "-c", 'cat; echo "$WORD $SHOAL_SLOT" >&2; exit 3'];
      const env = { WORD: "said" };
      const input = "typed";
      const { stdout, stderr, code } = await runCommand(engine, task, { command, env, input });
      assert.deepEqual([stdout, stderr, code], ["typed", "said 1\n", 3]);
    });

    test("is not short of breath", async () => {
      const { engine, task } = await sleeper();
      const command = ["sh", "-c", "head -c 3000000 /dev/zero; exit 0"];
      const { stdout, code } = await runCommand(engine, task, { command });
      assert.deepEqual([stdout.length, code], [3_000_000, 0]);
    });

    test("takes more input than a buffer holds", async () => {
      const { engine, task } = await sleeper();
      const input = "x".repeat(1_000_000);
      const { stdout } = await runCommand(engine, task, { command: ["wc", "-c"], input });
      assert.equal(stdout.trim(), "1000000");
    });

    test("has no input where none is wanted", async () => {
      const { engine, task } = await sleeper();
      assert.equal((await runCommand(engine, task, { command: ["cat"] })).code, 0);
    });

    test("gives a terminal of the size that is wanted", async () => {
      const { engine, task } = await sleeper();
      const session = await engine.exec(task, {
        command: ["sh", "-c", "while read word; do stty size; done; exit 2"],
        tty: true,
        stdin: true,
        env: {},
      });
      let output = "";
      const reading = (async () => {
        for await (const { data } of session.output) output += Buffer.from(data).toString();
      })();
      const ask = async () => {
        session.resize(123, 45);
        await session.write(Buffer.from("size\n"));
        return output.includes("45 123");
      };
      await until(ask, patienceMs, "the terminal's size");
      await session.write(Buffer.from([4]));
      assert.equal(await session.done, 2);
      await reading;
    });

    test("can be killed", async () => {
      const { engine, watcher, task } = await sleeper();
      const session = await engine.exec(task, {
        command: ["sh", "-c", "echo up; sleep 600"],
        tty: false,
        stdin: false,
        env: {},
      });
      for await (const _ of session.output) session.kill();
      assert.equal(await session.done, 137);
      assert.equal(watcher.task(task)?.ready, true);
    });

    test("of a command that is not there fails, by an error or by its exit code", async () => {
      const { engine, task } = await sleeper();
      try {
        const { code } = await runCommand(engine, task, { command: ["no-such-command"] });
        // Docker 20.10 finds out too late to refuse.
        assert.ok(code === 126 || code === 127, `exit code ${code}`);
      } catch (error) {
        assert.ok(error instanceof OperationError, String(error));
        assert.equal(error.problems[0]?.code, "exec-failed");
      }
    });
  });
}
