/** How every engine checks its tasks. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EngineBench, runCommand } from "./engine-bench.ts";
import { httpPort, newCheck, newSpec } from "./orders.ts";

export function conformHealth(bench: EngineBench): void {
  describe("health", () => {
    const shell = (text: string) => ({ kind: "command", command: [text], shell: true }) as const;

    test("an HTTP readiness check gives and takes traffic, and nothing else", async () => {
      const readiness = newCheck({ kind: "http", port: 80, path: "/index.html" });
      const health = { readiness, disabled: false };
      const spec = newSpec(bench.bed.server(), { ports: [httpPort], health });
      const { engine, watcher, task } = await bench.run(spec);
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
      const { engine, watcher, task } = await bench.runScript("sleep 600", {
        health: { readiness, disabled: false },
      });
      await watcher.untilTask(task, ({ state }) => state === "starting", "its start");
      assert.equal(watcher.task(task)?.ready, false);
      await runCommand(engine, task, { command: ["touch", "well"] });
      await watcher.untilReady(task);
    });

    test("a command that hangs has failed its check", async () => {
      const readiness = newCheck(shell("test -e well || sleep 600"), { timeoutMs: 300 });
      const { engine, watcher, task } = await bench.runScript("sleep 600", {
        health: { readiness, disabled: false },
      });
      await watcher.untilTask(task, ({ state }) => state === "starting", "its start");
      await runCommand(engine, task, { command: ["touch", "well"] });
      await watcher.untilReady(task);
    });

    test("a TCP liveness check makes a task healthy", async () => {
      const liveness = newCheck({ kind: "tcp", port: 80 });
      const health = { liveness, disabled: false };
      const { watcher, task } = await bench.run(
        newSpec(bench.bed.server(0.5), { expose: ["80/tcp"], health }),
      );
      const early = await watcher.untilTask(task, (o) => o.health !== "none", "its checking");
      assert.deepEqual([early.health, early.ready], ["starting", false]);
      const observed = await watcher.untilReady(task);
      assert.equal(observed.health, "healthy");
    });

    test("a command liveness check finds a task sick, and well again", async () => {
      const liveness = newCheck(shell("test ! -e sick"));
      const { engine, watcher, task } = await bench.runScript("sleep 600", {
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
      const { watcher, task } = await bench.run(
        newSpec(bench.bed.server(), { ports: [httpPort], health }),
      );
      const sick = await watcher.untilTask(task, (o) => o.health === "unhealthy", "sickness");
      assert.deepEqual([sick.state, sick.ready], ["starting", false]);
    });

    test("checks that are switched off are not made", async () => {
      const liveness = newCheck(shell("false"));
      const { watcher, task } = await bench.runScript("sleep 600", {
        health: { liveness, disabled: true },
      });
      assert.equal((await watcher.untilReady(task)).health, "none");
    });
  });
}
