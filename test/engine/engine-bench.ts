/**
 * What the suite for every engine works with: an engine's bed, which says how to make tasks there,
 * and the bench, which opens engines, starts tasks, and clears both away after each test.
 */

import assert from "node:assert/strict";
import type { MeshId, NodeId, TaskId } from "../../model/ids.ts";
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
import { newMesh, newOrder, newSpec, node } from "./orders.ts";
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

export type RunningTask = OpenEngine & StartOrder;

export class EngineBench {
  readonly bed: EngineBed;
  readonly mesh: MeshId = newMesh();
  readonly #opened: (Engine & Sessions)[] = [];
  readonly #started: TaskId[] = [];

  constructor(bed: EngineBed) {
    this.bed = bed;
  }

  open(identity: { mesh: MeshId; node: NodeId } = { mesh: this.mesh, node }): OpenEngine {
    const engine = this.bed.newEngine();
    this.#opened.push(engine);
    const watcher = new Watcher(engine);
    engine.open(identity);
    return { engine, watcher };
  }

  async openReady(): Promise<OpenEngine> {
    const { engine, watcher } = this.open();
    await watcher.untilReport("observed");
    return { engine, watcher };
  }

  /** Most tests want one engine and one task in it. */
  async run(spec: ServiceSpec): Promise<RunningTask> {
    const { engine, watcher } = await this.openReady();
    const order = newOrder(this.mesh, spec, this.bed.order);
    this.#started.push(order.task);
    engine.start(order);
    return { engine, watcher, ...order };
  }

  runScript(text: string, more: Partial<ServiceSpec> = {}): Promise<RunningTask> {
    return this.run(newSpec(this.bed.script(text), more));
  }

  /** Keeps what runs through the tests to come, until it is given back. */
  keep(): () => void {
    const [opened, started] = [this.#opened.splice(0), this.#started.splice(0)];
    return () => {
      this.#opened.push(...opened);
      this.#started.push(...started);
    };
  }

  async clear(): Promise<void> {
    const { engine, watcher } = await this.openReady();
    for (const task of this.#started.splice(0)) {
      engine.remove(task);
      await watcher.untilGone(task);
      await until(() => !this.bed.isLeft(task), patienceMs, `the end of ${task}`);
    }
    for (const one of this.#opened.splice(0)) one.close();
  }
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

export async function fetchFrom(
  endpoint: { address: string; ports: Readonly<Record<string, number>> } | undefined,
): Promise<number> {
  const answer = await fetch(`http://${endpoint?.address}:${endpoint?.ports["80/tcp"]}/index.html`);
  return answer.status;
}
