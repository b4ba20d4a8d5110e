/**
 * What every engine must do, whatever it runs tasks by: one suite for all of them. Tasks are
 * small shell scripts and web servers, which each engine's own test file says how to make.
 */

import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import type { TaskId } from "../../model/ids.ts";
import { OperationError, type ProblemCode } from "../../model/problem.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type {
  Engine,
  ExecOptions,
  LogChunk,
  LogOptions,
  Sessions,
  StartOrder,
} from "../../ports.ts";
import { until } from "../until.ts";
import { httpPort, newCheck, newMesh, newOrder, newSpec, node, otherNode } from "./orders.ts";
import { patienceMs, Watcher } from "./watcher.ts";

export type Workload = ServiceSpec["workload"];

export type EngineBed = {
  readonly kind: Engine["kind"];
  /** A new engine object in the same place as all before it. */
  readonly newEngine: () => Engine & Sessions;
  /** Runs a POSIX shell script. */
  readonly script: (text: string, env?: Readonly<Record<string, string>>) => Workload;
  /** Serves index.html of its working directory at target port 80, after `delayS`. */
  readonly server: (delayS?: number) => Workload;
  /** Names a program that does not exist. */
  readonly nonsense: () => Workload;
  /** What an order needs besides its spec. */
  readonly order: Partial<StartOrder>;
  /** Whether anything is left of a task: a container, a directory, a process. */
  readonly isLeft: (task: TaskId) => boolean;
  readonly close: () => Promise<void>;
};

export type OpenEngine = {
  readonly engine: Engine & Sessions;
  readonly watcher: Watcher;
};

/** Some time that nothing here takes by itself, ms. */
const graceMs = 15_000;
const stopNow = { graceMs, signal: "SIGTERM" };

export function conform(name: string, open: () => Promise<EngineBed>, skip: string | false): void {
  describe(name, { skip }, async () => {
    if (skip !== false) return;
    const bed = await open();
    const mesh = newMesh();
    const opened: (Engine & Sessions)[] = [];
    const started: TaskId[] = [];

    function openEngine(identity = { mesh, node }): OpenEngine {
      const engine = bed.newEngine();
      opened.push(engine);
      const watcher = new Watcher(engine);
      engine.open(identity);
      return { engine, watcher };
    }

    async function openReady(): Promise<OpenEngine> {
      const { engine, watcher } = openEngine();
      await watcher.untilReport("observed");
      return { engine, watcher };
    }

    function start(engine: Engine, spec: ServiceSpec): StartOrder {
      const order = newOrder(mesh, spec, bed.order);
      started.push(order.task);
      engine.start(order);
      return order;
    }

    /** Most tests want one engine and one task in it. */
    async function run(spec: ServiceSpec): Promise<OpenEngine & StartOrder> {
      const { engine, watcher } = await openReady();
      return { engine, watcher, ...start(engine, spec) };
    }

    const runScript = (text: string, more: Partial<ServiceSpec> = {}) =>
      run(newSpec(bed.script(text), more));

    afterEach(async () => {
      const { engine, watcher } = await openReady();
      for (const task of started.splice(0)) {
        engine.remove(task);
        await watcher.untilGone(task);
        await until(() => !bed.isLeft(task), patienceMs, `the end of ${task}`);
      }
      for (const one of opened.splice(0)) one.close();
    });
    after(() => bed.close());

    test("an engine without tasks says so", async () => {
      const { watcher } = await openReady();
      assert.deepEqual(watcher.last, { kind: "observed", engine: bed.kind, tasks: [] });
    });

    test("a task is prepared, starts, and runs once its port accepts", async () => {
      const spec = newSpec(bed.server(), { ports: [httpPort] });
      const { watcher, task, replica, revision } = await run(spec);
      const observed = await watcher.untilReady(task);
      assert.equal(observed.state, "running");
      assert.equal(observed.health, "none");
      assert.deepEqual([observed.replica, observed.revision], [replica, revision]);
      assert.equal(observed.service, "shop/web");
      assert.ok(Math.abs(Date.now() - observed.createdAtMs) < patienceMs);
      const states = watcher.statesOf(task);
      assert.deepEqual(states, ["preparing", "starting", "running"]);
      assert.equal(await fetchFrom(observed.endpoint), 200);
    });

    test("a task that nobody is to reach is ready as soon as it runs", async () => {
      const { watcher, task } = await runScript("sleep 600");
      const observed = await watcher.untilReady(task);
      assert.equal(observed.state, "running");
    });

    test("a port that does not accept yet holds traffic back", async () => {
      const spec = newSpec(bed.server(1), { expose: ["80/tcp"] });
      const { watcher, task } = await run(spec);
      const early = await watcher.untilTask(task, (o) => o.state === "starting", "its start");
      assert.equal(early.ready, false);
      const observed = await watcher.untilReady(task);
      assert.equal(await fetchFrom(observed.endpoint), 200);
    });

    test("an order given again starts nothing more", async () => {
      const { engine, watcher, ...order } = await runScript("echo begun; sleep 600");
      engine.start(order);
      await watcher.untilReady(order.task);
      engine.start(order);
      const lines = async () => (await logOf(engine, order.task)).length;
      await until(async () => (await lines()) === 1, patienceMs, "its one line");
      assert.equal(watcher.tasks.length, 1);
    });

    for (const code of [0, 3]) {
      test(`a task that exits with ${code} is reported so and not started again`, async () => {
        const { engine, watcher, task } = await runScript(`echo begun; exit ${code}`);
        const observed = await watcher.untilOver(task);
        assert.equal(observed.state, "exited");
        assert.equal(observed.exitCode, code);
        assert.equal(observed.ready, false);
        const lines = await logOf(engine, task, { follow: true });
        assert.deepEqual(
          lines.map(({ line }) => line),
          ["begun"],
        );
      });
    }

    test("a stop sends the signal, and the task has its grace", async () => {
      const script =
        "trap 'sleep 0.3; echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done";
      const { engine, watcher, task } = await runScript(script);
      await untilLine(engine, task, "up");
      const startMs = performance.now();
      engine.stop({ task, ...stopNow });
      engine.stop({ task, ...stopNow });
      await watcher.untilTask(task, (o) => o.state === "stopping" && !o.ready, "its stopping");
      const observed = await watcher.untilOver(task);
      assert.equal(observed.exitCode, 4);
      assert.ok(performance.now() - startMs < graceMs);
      assert.equal((await logOf(engine, task)).at(-1)?.line, "bye");
    });

    test("a task that heeds no signal is killed after its grace", async () => {
      const { engine, watcher, task } = await runScript(
        "trap '' TERM; echo up; while :; do sleep 1; done",
      );
      await untilLine(engine, task, "up");
      const startMs = performance.now();
      engine.stop({ task, graceMs: 400, signal: "SIGTERM" });
      const observed = await watcher.untilOver(task);
      assert.equal(observed.exitCode, 137);
      assert.ok(performance.now() - startMs >= 400);
    });

    test("a stop with another signal sends that one", async () => {
      const script =
        "trap 'exit 5' USR1; trap 'exit 6' TERM; echo up; while :; do sleep 0.05; done";
      const { engine, watcher, task } = await runScript(script);
      await untilLine(engine, task, "up");
      engine.stop({ task, graceMs, signal: "SIGUSR1" });
      assert.equal((await watcher.untilOver(task)).exitCode, 5);
    });

    test("a stop right after the start leaves nothing that runs", async () => {
      const { engine, watcher, task } = await runScript("sleep 600");
      engine.stop({ task, graceMs: 0, signal: "SIGTERM" });
      const observed = await watcher.untilOver(task);
      assert.equal(observed.state, "exited");
    });

    test("orders about tasks that are not there do no harm", async () => {
      const { engine, watcher } = await openReady();
      const task = "shop/web.1.nothere00000" as TaskId;
      engine.stop({ task, ...stopNow });
      engine.remove(task);
      assert.deepEqual(watcher.tasks, []);
    });

    test("the next engine adopts what runs, and restarts none of it", async () => {
      const spec = newSpec(bed.server(), { ports: [httpPort] });
      const first = await run(spec);
      const before = await first.watcher.untilReady(first.task);
      first.engine.close();
      const second = await openReady();
      assert.equal(second.watcher.reports.length, 1);
      assert.deepEqual(second.watcher.task(first.task), before);
      assert.equal(await fetchFrom(before.endpoint), 200);
    });

    test("the next engine goes on checking, and stops what it adopted", async () => {
      const readiness = newCheck({ kind: "command", command: ["test ! -e sick"], shell: true });
      const script = "trap 'exit 7' TERM; while :; do sleep 0.05; done";
      const first = await runScript(script, { health: { readiness, disabled: false } });
      await first.watcher.untilReady(first.task);
      first.engine.close();
      const { engine, watcher } = await openReady();
      assert.equal(watcher.task(first.task)?.ready, true);
      await runCommand(engine, first.task, { command: ["touch", "sick"] });
      await watcher.untilTask(first.task, ({ ready }) => !ready, "its unreadiness");
      engine.stop({ task: first.task, ...stopNow });
      assert.equal((await watcher.untilOver(first.task)).exitCode, 7);
    });

    test("the next engine knows how tasks ended that ended without it", async () => {
      const first = await runScript("while [ ! -e go ]; do sleep 0.05; done; echo last; exit 9");
      await first.watcher.untilReady(first.task);
      const gone = first.engine.exec(first.task, {
        command: ["sh", "-c", "sleep 0.5; touch go"],
        tty: false,
        stdin: false,
        env: {},
      });
      const session = await gone;
      first.engine.close();
      await session.done.catch(() => {});
      const { engine, watcher } = await openReady();
      const observed = await watcher.untilOver(first.task);
      assert.equal(observed.exitCode, 9);
      const lines = await logOf(engine, first.task);
      assert.deepEqual(
        lines.map(({ line }) => line),
        ["last"],
      );
    });

    test("tasks of another node or mesh are none of its business", async () => {
      const first = await runScript("sleep 600");
      await first.watcher.untilReady(first.task);
      for (const identity of [
        { mesh, node: otherNode },
        { mesh: newMesh(), node },
      ]) {
        const { watcher } = openEngine(identity);
        await watcher.untilReport("observed");
        assert.deepEqual(watcher.tasks, []);
      }
    });

    test("an ended task stays until it is removed, and then nothing of it does", async () => {
      const { engine, watcher, task } = await runScript("exit 0");
      await watcher.untilOver(task);
      assert.ok(bed.isLeft(task));
      engine.remove(task);
      await watcher.untilGone(task);
      await until(() => !bed.isLeft(task), patienceMs, "its leaving");
      const again = await openReady();
      assert.deepEqual(again.watcher.tasks, []);
    });

    test("a removed task that still runs is ended", async () => {
      const { engine, watcher, task } = await runScript("sleep 600");
      await watcher.untilReady(task);
      engine.remove(task);
      await watcher.untilGone(task);
      await until(() => !bed.isLeft(task), patienceMs, "its leaving");
    });

    test("tasks are told who they are", async () => {
      const env = { COLOUR: "deep blue", SHOAL_SLOT: "theirs" };
      const spec = newSpec(bed.script("env; sleep 600", env));
      const { engine, task, replica } = await run(spec);
      await untilLine(engine, task, "COLOUR=deep blue");
      const lines = new Set((await logOf(engine, task)).map(({ line }) => line));
      for (const line of [
        `SHOAL_MESH=${mesh}`,
        "SHOAL_NODE=first",
        "SHOAL_SERVICE=shop/web",
        `SHOAL_REPLICA=${replica}`,
        `SHOAL_TASK=${task}`,
        // What the spec says stands over what we say.
        "SHOAL_SLOT=theirs",
      ]) {
        assert.ok(lines.has(line), line);
      }
    });

    describe("health", () => {
      const shell = (text: string) => ({ kind: "command", command: [text], shell: true }) as const;

      test("an HTTP readiness check gives and takes traffic, and nothing else", async () => {
        const readiness = newCheck({ kind: "http", port: 80, path: "/index.html" });
        const health = { readiness, disabled: false };
        const spec = newSpec(bed.server(), { ports: [httpPort], health });
        const { engine, watcher, task } = await run(spec);
        await watcher.untilReady(task);
        await runCommand(engine, task, { command: ["rm", "index.html"] });
        const unready = await watcher.untilTask(task, ({ ready }) => !ready, "its unreadiness");
        assert.equal(unready.state, "running");
        assert.equal(unready.health, "none");
        await runCommand(engine, task, { command: ["touch", "index.html"] });
        await watcher.untilReady(task);
      });

      test("a command readiness check runs inside the task", async () => {
        const readiness = newCheck(shell("test -e well"));
        const { engine, watcher, task } = await runScript("sleep 600", {
          health: { readiness, disabled: false },
        });
        await watcher.untilTask(task, ({ state }) => state === "starting", "its start");
        assert.equal(watcher.task(task)?.ready, false);
        await runCommand(engine, task, { command: ["touch", "well"] });
        await watcher.untilReady(task);
      });

      test("a command that hangs has failed its check", async () => {
        const readiness = newCheck(shell("test -e well || sleep 600"), { timeoutMs: 300 });
        const { engine, watcher, task } = await runScript("sleep 600", {
          health: { readiness, disabled: false },
        });
        await watcher.untilTask(task, ({ state }) => state === "starting", "its start");
        await runCommand(engine, task, { command: ["touch", "well"] });
        await watcher.untilReady(task);
      });

      test("a TCP liveness check makes a task healthy", async () => {
        const liveness = newCheck({ kind: "tcp", port: 80 });
        const health = { liveness, disabled: false };
        const { watcher, task } = await run(
          newSpec(bed.server(0.5), { expose: ["80/tcp"], health }),
        );
        const early = await watcher.untilTask(task, (o) => o.health !== "none", "its checking");
        assert.deepEqual([early.health, early.ready], ["starting", false]);
        const observed = await watcher.untilReady(task);
        assert.equal(observed.health, "healthy");
      });

      test("a command liveness check finds a task sick, and well again", async () => {
        const liveness = newCheck(shell("test ! -e sick"));
        const { engine, watcher, task } = await runScript("sleep 600", {
          health: { liveness, disabled: false },
        });
        assert.equal((await watcher.untilReady(task)).health, "healthy");
        await runCommand(engine, task, { command: ["touch", "sick"] });
        const sick = await watcher.untilTask(task, (o) => o.health === "unhealthy", "sickness");
        assert.deepEqual([sick.state, sick.ready], ["running", false]);
        await runCommand(engine, task, { command: ["rm", "sick"] });
        assert.equal((await watcher.untilReady(task)).health, "healthy");
      });

      test("an HTTP liveness check finds a task sick that never was well", async () => {
        const liveness = newCheck({ kind: "http", port: 80, path: "/nothing" });
        const health = { liveness, disabled: false };
        const { watcher, task } = await run(newSpec(bed.server(), { ports: [httpPort], health }));
        const sick = await watcher.untilTask(task, (o) => o.health === "unhealthy", "sickness");
        assert.deepEqual([sick.state, sick.ready], ["starting", false]);
      });

      test("checks that are switched off are not made", async () => {
        const liveness = newCheck(shell("false"));
        const { watcher, task } = await runScript("sleep 600", {
          health: { liveness, disabled: true },
        });
        assert.equal((await watcher.untilReady(task)).health, "none");
      });
    });

    describe("refusals", () => {
      test("a command that is not there is refused by its name", async () => {
        const { watcher, task } = await run(newSpec(bed.nonsense()));
        const { state, problem } = await watcher.untilOver(task);
        assert.equal(state, "refused");
        const command = "no-such-command";
        assert.deepEqual(problem, { code: "command-not-found", command, node: "first" });
      });

      test("a port of this host that is taken is refused by its number", async () => {
        const server = (await import("node:net")).createServer();
        await new Promise<void>((resolve) => server.listen(0, resolve));
        try {
          const { port } = server.address() as { port: number };
          const ports = [{ ...httpPort, published: port, mode: "host" }] as const;
          const { watcher, task } = await run(newSpec(bed.server(), { ports }));
          const { state, problem } = await watcher.untilOver(task);
          assert.equal(state, "refused");
          assert.equal(problem?.code, "port-in-use");
          assert.deepEqual([(problem as { port?: number }).port], [port]);
        } finally {
          server.close();
        }
      });

      test("a published port of this host reaches the task", async () => {
        const server = (await import("node:net")).createServer();
        await new Promise<void>((resolve) => server.listen(0, resolve));
        const { port } = server.address() as { port: number };
        await new Promise((resolve) => server.close(resolve));
        const ports = [{ ...httpPort, published: port, mode: "host" }] as const;
        const { watcher, task } = await run(newSpec(bed.server(), { ports }));
        await watcher.untilReady(task);
        const answer = await fetch(`http://127.0.0.1:${port}/index.html`);
        assert.equal(answer.status, 200);
      });
    });

    describe("logs", () => {
      test("have every line with its stream and a time", async () => {
        const beforeMs = Date.now();
        const { engine, watcher, task } = await runScript(
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
        const { engine, watcher, task } = await runScript(
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
        const { engine, watcher, task } = await runScript(
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
        const { engine, watcher, task } = await runScript(
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
        const { engine, watcher, task } = await runScript("echo one; sleep 600");
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
        const { engine, watcher, task } = await runScript(
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

    describe("exec", () => {
      /** One for all of these: none of them changes it. */
      let shared: (OpenEngine & StartOrder) | undefined;

      async function sleeper(): Promise<OpenEngine & StartOrder> {
        if (shared === undefined) {
          shared = await runScript("sleep 600");
          await shared.watcher.untilReady(shared.task);
          started.splice(0);
          opened.splice(0);
        }
        return shared;
      }

      after(() => {
        if (shared === undefined) return;
        started.push(shared.task);
        opened.push(shared.engine);
      });

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

    test("nothing can be run in a task that has ended", async () => {
      const { engine, watcher, task } = await runScript("exit 0");
      await watcher.untilOver(task);
      await fails("exec-failed", () => runCommand(engine, task, { command: ["true"] }));
    });

    test("stats tell what a task uses", async () => {
      const { engine, watcher, task } = await runScript("while :; do :; done");
      await watcher.untilReady(task);
      const { cpu, memoryBytes, pids } = await engine.stats(task);
      assert.ok(cpu > 0.02 && cpu < 2.5, `cpu ${cpu}`);
      assert.ok(memoryBytes > 4_096 && memoryBytes < 200e6, `memory ${memoryBytes}`);
      assert.ok(pids >= 1 && pids <= 4, `pids ${pids}`);
    });

    test("sessions with a task that is not here fail by its name", async () => {
      const { engine } = await openReady();
      const task = "shop/web.1.nothere00000" as TaskId;
      await fails("task-unknown", () => logOf(engine, task));
      await fails("task-unknown", () => engine.stats(task));
      await fails("task-unknown", () => runCommand(engine, task, { command: ["true"] }));
    });
  });
}

export async function fails(code: ProblemCode, action: () => Promise<unknown>): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof OperationError, String(error));
    assert.equal(error.problems[0]?.code, code);
    return true;
  });
}

export async function logOf(
  engine: Sessions,
  task: TaskId,
  options: Partial<LogOptions> = {},
): Promise<LogChunk[]> {
  const { signal } = new AbortController();
  const lines: LogChunk[] = [];
  for await (const chunk of engine.logs(task, { follow: false, signal, ...options })) {
    lines.push(chunk);
  }
  return lines;
}

export async function untilLine(engine: Sessions, task: TaskId, wanted: string): Promise<void> {
  const isThere = async () => (await logOf(engine, task)).some(({ line }) => line === wanted);
  await until(isThere, patienceMs, `the line ${wanted}`);
}

type Ran = { readonly stdout: string; readonly stderr: string; readonly code: number };

export async function runCommand(
  engine: Sessions,
  task: TaskId,
  { input, ...more }: Partial<ExecOptions> & { readonly input?: string },
): Promise<Ran> {
  const defaults = { command: [], tty: false, stdin: input !== undefined, env: {} };
  const session = await engine.exec(task, { ...defaults, ...more });
  if (input !== undefined) await session.write(Buffer.from(input));
  session.endInput();
  const said = { stdout: "", stderr: "" };
  for await (const { stream, data } of session.output) said[stream] += Buffer.from(data).toString();
  return { ...said, code: await session.done };
}

async function fetchFrom(
  endpoint: { address: string; ports: Readonly<Record<string, number>> } | undefined,
): Promise<number> {
  const answer = await fetch(`http://${endpoint?.address}:${endpoint?.ports["80/tcp"]}/index.html`);
  return answer.status;
}
