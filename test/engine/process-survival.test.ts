/** What a task of the process engine lives through, and what of it must not. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { ControlGroup } from "../../engine/process/control-group.ts";
import { isAlive, readStat } from "../../engine/process/kernel.ts";
import { openProcessEngine } from "../../engine/process/process-engine.ts";
import { wrap } from "../../engine/process/wrapper.ts";
import type { TaskId } from "../../model/ids.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type { Engine, Sessions, StartOrder } from "../../ports.ts";
import { until } from "../until.ts";
import { logOf, runCommand, untilLine } from "./engine-bench.ts";
import { httpPort, newMesh, newOrder, newSpec, node } from "./orders.ts";
import { patienceMs, Watcher } from "./watcher.ts";

const directory = mkdtempSync(join(tmpdir(), "shoal-survival-"));
const mesh = newMesh();
const opened: (Engine & Sessions)[] = [];
const said: string[] = [];

/** Ends everything of this file, whatever the tests did to it. */
afterEach(async () => {
  const { engine, watcher } = await open();
  for (const { task } of watcher.tasks) engine.remove(task);
  await until(() => watcher.tasks.length === 0, patienceMs, "the end of all tasks");
  for (const one of opened.splice(0)) one.close();
  said.splice(0);
});
after(() => rmSync(directory, { recursive: true, force: true }));

async function open(logBytesMax = 1_000_000) {
  const log = (line: string) => said.push(line);
  const engine = openProcessEngine({ directory, nodeName: "first", log, logBytesMax });
  opened.push(engine);
  const watcher = new Watcher(engine);
  engine.open({ mesh, node });
  await watcher.untilReport("observed");
  return { engine, watcher };
}

function orderOf(script: string, more: Partial<ServiceSpec> = {}): StartOrder {
  const command = ["sh", "-c", script];
  return newOrder(mesh, newSpec({ kind: "process", command, env: {} }, more));
}

function pathOf(task: TaskId, ...names: string[]): string {
  return join(directory, task.replace("/", "_"), ...names);
}

/** Of the wrapper. */
function pidOf(task: TaskId): number {
  return Number.parseInt(readFileSync(pathOf(task, "started"), "utf8"), 10);
}

/** By another process, which is then killed as no process can prevent. */
async function startByAnAgentThatDies(order: StartOrder): Promise<void> {
  const program = join(import.meta.dirname, "agent-of-test.ts");
  const args = ["--disable-warning=ExperimentalWarning", program, directory, JSON.stringify(order)];
  const agent: ChildProcess = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(agent, "exit");
  await once(agent.stdout as NodeJS.ReadableStream, "data");
  agent.kill("SIGKILL");
  await exited;
}

test("killing the agent kills no task, and the next agent has its log and its end", async () => {
  const order = orderOf("echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exit 3");
  const { task } = order;
  await startByAnAgentThatDies(order);
  assert.ok(isAlive(readStat(pidOf(task)) as never), "it runs without an agent");
  const { engine, watcher } = await open();
  assert.equal(watcher.task(task)?.state, "running");
  await untilLine(engine, task, "one");
  writeFileSync(pathOf(task, "work/go"), "");
  assert.equal((await watcher.untilOver(task)).exitCode, 3);
  assert.deepEqual(
    (await logOf(engine, task)).map(({ line }) => line),
    ["one", "two"],
  );
});

test("a task killed while no agent ran is reported as killed", async () => {
  const order = orderOf("sleep 600");
  await startByAnAgentThatDies(order);
  process.kill(-pidOf(order.task), "SIGKILL");
  const { watcher } = await open();
  assert.equal((await watcher.untilOver(order.task)).exitCode, 137);
});

test("a process that has a task's old pid is not taken for it, nor harmed", async () => {
  const stranger = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
  try {
    await once(stranger, "spawn");
    const order = orderOf("sleep 600");
    await startByAnAgentThatDies(order);
    process.kill(-pidOf(order.task), "SIGKILL");
    const stat = readFileSync(`/proc/${stranger.pid}/stat`, "utf8").split(" ");
    stat[21] = String(Number(stat[21]) - 1);
    writeFileSync(pathOf(order.task, "started"), stat.join(" "));
    const { engine, watcher } = await open();
    assert.equal(watcher.task(order.task)?.state, "exited");
    engine.stop({ task: order.task, graceMs: 0, signal: "SIGKILL" });
    engine.remove(order.task);
    await watcher.untilGone(order.task);
    await until(() => !existsSync(pathOf(order.task)), patienceMs, "its leaving");
    assert.ok(isAlive(readStat(stranger.pid as number) as never), "the stranger lives");
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("a task from before the host's restart has ended with it", async () => {
  const order = orderOf("sleep 600");
  await startByAnAgentThatDies(order);
  const record = JSON.parse(readFileSync(pathOf(order.task, "task.json"), "utf8"));
  process.kill(-pidOf(order.task), "SIGKILL");
  writeFileSync(pathOf(order.task, "task.json"), JSON.stringify({ ...record, bootId: "another" }));
  const { watcher } = await open();
  const { exitCode, problem } = await watcher.untilOver(order.task);
  assert.equal(exitCode, 137);
  assert.deepEqual(problem, {
    code: "task-failed",
    task: order.task,
    detail: "the host was restarted",
  });
});

test("a start that was ordered by an agent that died before it is given up for good", async () => {
  const order = orderOf("sleep 600");
  await startByAnAgentThatDies(order);
  process.kill(-pidOf(order.task), "SIGKILL");
  rmSync(pathOf(order.task, "started"));
  const { watcher } = await open();
  assert.equal((await watcher.untilOver(order.task)).exitCode, 137);
  // The wrapper begins only now: it must not run what nobody watches.
  const witness = pathOf(order.task, "work/witness");
  const [program, ...args] = wrap(pathOf(order.task), [], ["touch", witness]) as [string];
  const [code] = await once(spawn(program, args, { detached: true, stdio: "ignore" }), "exit");
  assert.equal(code, 125);
  assert.equal(existsSync(witness), false);
});

test("half a directory is cleared away, and a damaged one is left for people to see", async () => {
  mkdirSync(join(directory, "half/work"), { recursive: true });
  mkdirSync(join(directory, "damaged"));
  writeFileSync(join(directory, "damaged/task.json"), '{"order":');
  const { watcher } = await open();
  assert.deepEqual(watcher.tasks, []);
  await until(() => !existsSync(join(directory, "half")), patienceMs, "the half one's leaving");
  assert.ok(existsSync(join(directory, "damaged")));
  assert.ok(said.some((line) => line.includes("damaged")));
  rmSync(join(directory, "damaged"), { recursive: true });
});

test("a task leaves no child behind, however it ended", async () => {
  const { engine, watcher } = await open();
  const order = orderOf("sleep 601 & echo $! >child; exit 0");
  engine.start(order);
  await watcher.untilOver(order.task);
  const child = Number(readFileSync(pathOf(order.task, "work/child"), "utf8"));
  const isGone = () => !/sleep/.test(readStatName(child));
  await until(isGone, patienceMs, "the child's end");
});

function readStatName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8");
  } catch {
    return "";
  }
}

test("replicas on one host get ports of their own, under the names of their targets", async () => {
  const { engine, watcher } = await open();
  const spec: Partial<ServiceSpec> = { ports: [httpPort], expose: ["53/udp", "53/tcp"] };
  const orders = [1, 2, 3].map(() => orderOf("env; sleep 600", spec));
  for (const order of orders) engine.start(order);
  const numbers = new Set<number>();
  for (const { task } of orders) {
    const up = await watcher.untilTask(task, ({ endpoint }) => endpoint !== undefined, "its start");
    const ports = up.endpoint?.ports ?? {};
    assert.equal(ports["53/udp"], ports["53/tcp"]);
    await untilLine(engine, task, `PORT=${ports["80/tcp"]}`);
    await untilLine(engine, task, `PORT_80=${ports["80/tcp"]}`);
    await untilLine(engine, task, `PORT_53=${ports["53/udp"]}`);
    numbers.add(ports["80/tcp"] as number).add(ports["53/udp"] as number);
  }
  assert.equal(numbers.size, 6);
});

test("the agent's own environment is not the task's", async () => {
  process.env.SHOAL_TEST_SECRET = "hunter2";
  const { engine, watcher } = await open();
  const order = orderOf("env; pwd");
  engine.start(order);
  await watcher.untilOver(order.task);
  delete process.env.SHOAL_TEST_SECRET;
  const lines = (await logOf(engine, order.task)).map(({ line }) => line);
  assert.ok(!lines.join("\n").includes("hunter2"));
  assert.ok(lines.includes(`HOME=${pathOf(order.task, "work")}`));
  assert.ok(lines.includes(pathOf(order.task, "work")));
});

test("a log that outgrows its bound loses its old end, and followers miss nothing", async () => {
  const { engine, watcher } = await open(20_000);
  const order = orderOf(
    "while [ ! -e go ]; do sleep 0.05; done; i=0; " +
      "while [ $i -lt 40 ]; do seq -f 'line %05g of many' $((i*100+1)) $((i*100+100)); " +
      "sleep 0.05; i=$((i+1)); done",
  );
  engine.start(order);
  await watcher.untilReady(order.task);
  writeFileSync(pathOf(order.task, "work/go"), "");
  const followed: string[] = [];
  const { signal } = new AbortController();
  for await (const { line } of engine.logs(order.task, { follow: true, signal })) {
    followed.push(line);
  }
  await watcher.untilOver(order.task);
  const expected = Array.from({ length: 4_000 }, (_, index) => {
    return `line ${String(index + 1).padStart(5, "0")} of many`;
  });
  assert.deepEqual(followed, expected);
  const kept = (await logOf(engine, order.task)).map(({ line }) => line);
  assert.ok(kept.length < 4_000);
  assert.deepEqual(kept.slice(1), expected.slice(expected.length - kept.length + 1));
  const [last] = await logOf(engine, order.task, { tail: 1 });
  assert.equal(last?.line, expected.at(-1));
  const bytes = readdirSync(pathOf(order.task))
    .filter((name) => name.startsWith("stdout"))
    .reduce((sum, name) => sum + statSync(pathOf(order.task, name)).size, 0);
  assert.ok(bytes < 80_000, `${bytes} bytes`);
});

test("limits hold by control groups, or are said not to", async () => {
  const { engine, watcher } = await open();
  const resources = { memoryLimitBytes: 64 * 2 ** 20, cpuLimitMilli: 500, pidsLimit: 20 };
  const order = orderOf("echo up; sleep 600", { resources });
  engine.start(order);
  await watcher.untilReady(order.task);
  const { groups } = JSON.parse(readFileSync(pathOf(order.task, "task.json"), "utf8"));
  const read = (...files: string[]) =>
    (groups as string[])
      .flatMap((group) => files.map((file) => `${group}/${file}`))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8").trim())[0];
  const enforced: [name: string, value: string | undefined, expected: RegExp][] = [
    ["memory", read("memory.max", "memory.limit_in_bytes"), /^67108864$/],
    ["CPU", read("cpu.max", "cpu.cfs_quota_us"), /^50000\b/],
    ["processes", read("pids.max"), /^21$/],
  ];
  await untilLine(engine, order.task, "up");
  const errors = (await logOf(engine, order.task)).map(({ line }) => line).join("\n");
  for (const [name, value, expected] of enforced) {
    if (value === undefined) assert.match(errors, new RegExp(`not enforced.*${name}`));
    else assert.match(value, expected);
  }
  if (groups.length > 0) {
    const members = read("cgroup.procs")?.split("\n").map(Number);
    assert.ok(members?.includes(pidOf(order.task)));
  }
});

test("a limit that cannot be enforced has its reason told", () => {
  // A name that no file can have stands for a tree that may not be written to.
  const { group, unenforced } = ControlGroup.create("a\0b", {
    memoryLimitBytes: 1,
    cpuLimitMilli: 1,
    pidsLimit: 1,
  });
  assert.deepEqual(group.paths, []);
  assert.deepEqual(
    unenforced.map((line) => line.split(":")[0]),
    ["CPU limit", "memory limit", "limit of processes"],
  );
  assert.ok(unenforced.every((line) => line.length > 20));
});

const hasGroups = ControlGroup.create("shoal-test-probe", { memoryLimitBytes: 2 ** 24 });
const canLimit = hasGroups.unenforced.length === 0;
hasGroups.group.remove();

test("a task that eats more than its memory ends, and says why", { skip: !canLimit }, async () => {
  const { engine, watcher } = await open();
  const eat = "const kept=[];for(;;)kept.push(Buffer.alloc(2**20,1))";
  const spec = newSpec(
    { kind: "process", command: ["node", "-e", eat], env: {} },
    { resources: { memoryLimitBytes: 96 * 2 ** 20 } },
  );
  const order = newOrder(mesh, spec);
  engine.start(order);
  const { exitCode, problem } = await watcher.untilOver(order.task);
  assert.equal(exitCode, 137);
  assert.match(JSON.stringify(problem), /out of memory/);
});

test("what left a task's session ends with it all the same", { skip: !canLimit }, async () => {
  const { engine, watcher } = await open();
  const order = orderOf("setsid sleep 602 & sleep 0.3; exit 0");
  engine.start(order);
  await watcher.untilOver(order.task);
  const { groups } = JSON.parse(readFileSync(pathOf(order.task, "task.json"), "utf8"));
  const members = () =>
    (groups as string[]).map((group) => readFileSync(`${group}/cgroup.procs`, "utf8")).join("");
  await until(() => members() === "", patienceMs, "the groups' being empty");
});

test("commands that are run beside a task are in its environment", async () => {
  const { engine, watcher } = await open();
  const order = orderOf("sleep 600", { ports: [httpPort] });
  engine.start(order);
  const up = await watcher.untilTask(order.task, (o) => o.endpoint !== undefined, "its start");
  const command = ["sh", "-c", "echo $PORT; pwd"];
  const { stdout } = await runCommand(engine, order.task, { command });
  const port = up.endpoint?.ports["80/tcp"];
  assert.equal(stdout, `${port}\n${pathOf(order.task, "work")}\n`);
});

test("an engine without a place for its tasks says so", async () => {
  writeFileSync(join(directory, "file"), "");
  const engine = openProcessEngine({ directory: join(directory, "file/below"), nodeName: "first" });
  const watcher = new Watcher(engine);
  engine.open({ mesh, node });
  const report = await watcher.untilReport("unavailable");
  engine.close();
  rmSync(join(directory, "file"));
  assert.equal(report.kind === "unavailable" && report.problem.code, "engine-unavailable");
});
