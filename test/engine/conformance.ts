/**
 * What every engine must do, whatever it runs tasks by: one suite for all of them. Tasks are
 * small shell scripts and web servers, which each engine's own test file says how to make.
 */

import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import type { TaskId } from "../../model/ids.ts";
import { until } from "../until.ts";
import { conformHealth } from "./conformance-health.ts";
import { conformExec, conformLogs } from "./conformance-sessions.ts";
import {
  type EngineBed,
  EngineBench,
  fails,
  fetchFrom,
  logOf,
  runCommand,
  untilLine,
} from "./engine-bench.ts";
import { httpPort, newCheck, newMesh, newSpec, node, otherNode } from "./orders.ts";
import { patienceMs } from "./watcher.ts";

/** Some time that nothing here takes by itself, ms. */
const graceMs = 15_000;
const stopNow = { graceMs, signal: "SIGTERM" };

export function conform(name: string, open: () => Promise<EngineBed>, skip: string | false): void {
  describe(name, { skip }, async () => {
    if (skip !== false) return;
    const bed = await open();
    const bench = new EngineBench(bed);
    const { mesh } = bench;
    afterEach(() => bench.clear());
    after(() => bed.close());

    test("an engine without tasks says so", async () => {
      const { watcher } = await bench.openReady();
      assert.deepEqual(watcher.last, { kind: "observed", engine: bed.kind, tasks: [] });
    });

    test("a task is prepared, starts, and runs once its port accepts", async () => {
      const spec = newSpec(bed.server(), { ports: [httpPort] });
      const { watcher, task, replica, revision } = await bench.run(spec);
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
      const { watcher, task } = await bench.runScript("sleep 600");
      const observed = await watcher.untilReady(task);
      assert.equal(observed.state, "running");
    });

    test("a port that does not accept yet holds traffic back", async () => {
      const spec = newSpec(bed.server(1), { expose: ["80/tcp"] });
      const { watcher, task } = await bench.run(spec);
      const early = await watcher.untilTask(task, (o) => o.state === "starting", "its start");
      assert.equal(early.ready, false);
      const observed = await watcher.untilReady(task);
      assert.equal(await fetchFrom(observed.endpoint), 200);
    });

    test("an order given again starts nothing more", async () => {
      const { engine, watcher, ...order } = await bench.runScript("echo begun; sleep 600");
      engine.start(order);
      await watcher.untilReady(order.task);
      engine.start(order);
      const lines = async () => (await logOf(engine, order.task)).length;
      await until(async () => (await lines()) === 1, patienceMs, "its one line");
      assert.equal(watcher.tasks.length, 1);
    });

    for (const code of [0, 3]) {
      test(`a task that exits with ${code} is reported so and not started again`, async () => {
        const { engine, watcher, task } = await bench.runScript(`echo begun; exit ${code}`);
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
      const { engine, watcher, task } = await bench.runScript(script);
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
      const { engine, watcher, task } = await bench.runScript(
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
      const { engine, watcher, task } = await bench.runScript(script);
      await untilLine(engine, task, "up");
      engine.stop({ task, graceMs, signal: "SIGUSR1" });
      assert.equal((await watcher.untilOver(task)).exitCode, 5);
    });

    test("a stop right after the start leaves nothing that runs", async () => {
      const { engine, watcher, task } = await bench.runScript("sleep 600");
      engine.stop({ task, graceMs: 0, signal: "SIGTERM" });
      const observed = await watcher.untilOver(task);
      assert.equal(observed.state, "exited");
    });

    test("orders about tasks that are not there do no harm", async () => {
      const { engine, watcher } = await bench.openReady();
      const task = "shop/web.1.nothere00000" as TaskId;
      engine.stop({ task, ...stopNow });
      engine.remove(task);
      assert.deepEqual(watcher.tasks, []);
    });

    test("the next engine adopts what runs, and restarts none of it", async () => {
      const spec = newSpec(bed.server(), { ports: [httpPort] });
      const first = await bench.run(spec);
      const before = await first.watcher.untilReady(first.task);
      first.engine.close();
      const second = await bench.openReady();
      assert.equal(second.watcher.reports.length, 1);
      assert.deepEqual(second.watcher.task(first.task), before);
      assert.equal(await fetchFrom(before.endpoint), 200);
    });

    test("the next engine goes on checking, and stops what it adopted", async () => {
      const readiness = newCheck({ kind: "command", command: ["test ! -e sick"], shell: true });
      const script = "trap 'exit 7' TERM; while :; do sleep 0.05; done";
      const first = await bench.runScript(script, { health: { readiness, disabled: false } });
      await first.watcher.untilReady(first.task);
      first.engine.close();
      const { engine, watcher } = await bench.openReady();
      assert.equal(watcher.task(first.task)?.ready, true);
      await runCommand(engine, first.task, { command: ["touch", "sick"] });
      await watcher.untilTask(first.task, ({ ready }) => !ready, "its unreadiness");
      engine.stop({ task: first.task, ...stopNow });
      assert.equal((await watcher.untilOver(first.task)).exitCode, 7);
    });

    test("the next engine knows how tasks ended that ended without it", async () => {
      const first = await bench.runScript(
        "while [ ! -e go ]; do sleep 0.05; done; echo last; exit 9",
      );
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
      const { engine, watcher } = await bench.openReady();
      const observed = await watcher.untilOver(first.task);
      assert.equal(observed.exitCode, 9);
      const lines = await logOf(engine, first.task);
      assert.deepEqual(
        lines.map(({ line }) => line),
        ["last"],
      );
    });

    test("tasks of another node or mesh are none of its business", async () => {
      const first = await bench.runScript("sleep 600");
      await first.watcher.untilReady(first.task);
      for (const identity of [
        { mesh, node: otherNode },
        { mesh: newMesh(), node },
      ]) {
        const { watcher } = bench.open(identity);
        await watcher.untilReport("observed");
        assert.deepEqual(watcher.tasks, []);
      }
    });

    test("an ended task stays until it is removed, and then nothing of it does", async () => {
      const { engine, watcher, task } = await bench.runScript("exit 0");
      await watcher.untilOver(task);
      assert.ok(bed.isLeft(task));
      engine.remove(task);
      await watcher.untilGone(task);
      await until(() => !bed.isLeft(task), patienceMs, "its leaving");
      const again = await bench.openReady();
      assert.deepEqual(again.watcher.tasks, []);
    });

    test("a removed task that still runs is ended", async () => {
      const { engine, watcher, task } = await bench.runScript("sleep 600");
      await watcher.untilReady(task);
      engine.remove(task);
      await watcher.untilGone(task);
      await until(() => !bed.isLeft(task), patienceMs, "its leaving");
    });

    test("tasks are told who they are", async () => {
      const env = { COLOUR: "deep blue", SHOAL_SLOT: "theirs" };
      const spec = newSpec(bed.script("env; sleep 600", env));
      const { engine, task, replica } = await bench.run(spec);
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

    conformHealth(bench);

    describe("refusals", () => {
      test("a command that is not there is refused by its name", async () => {
        const { watcher, task } = await bench.run(newSpec(bed.nonsense()));
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
          const { watcher, task } = await bench.run(newSpec(bed.server(), { ports }));
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
        const { watcher, task } = await bench.run(newSpec(bed.server(), { ports }));
        await watcher.untilReady(task);
        const answer = await fetch(`http://127.0.0.1:${port}/index.html`);
        assert.equal(answer.status, 200);
      });
    });

    conformLogs(bench);
    conformExec(bench);

    test("nothing can be run in a task that has ended", async () => {
      const { engine, watcher, task } = await bench.runScript("exit 0");
      await watcher.untilOver(task);
      await fails("exec-failed", () => runCommand(engine, task, { command: ["true"] }));
    });

    test("stats tell what a task uses", async () => {
      const { engine, watcher, task } = await bench.runScript("while :; do :; done");
      await watcher.untilReady(task);
      const { cpu, memoryBytes, pids } = await engine.stats(task);
      assert.ok(cpu > 0.02 && cpu < 2.5, `cpu ${cpu}`);
      assert.ok(memoryBytes > 4_096 && memoryBytes < 200e6, `memory ${memoryBytes}`);
      assert.ok(pids >= 1 && pids <= 4, `pids ${pids}`);
    });

    test("sessions with a task that is not here fail by its name", async () => {
      const { engine } = await bench.openReady();
      const task = "shop/web.1.nothere00000" as TaskId;
      await fails("task-unknown", () => logOf(engine, task));
      await fails("task-unknown", () => engine.stats(task));
      await fails("task-unknown", () => runCommand(engine, task, { command: ["true"] }));
    });
  });
}
