/**
 * The process engine: tasks as processes of this host, for hosts without a container engine. A
 * door. Begin reading at `#launch` and `#adopt`.
 *
 * A task is a child in a session of its own, inside a wrapper (wrapper.ts) that needs no agent.
 * Everything about it is in its directory (task-directory.ts), so that the next agent finds it,
 * alive or ended. There is no isolation: it sees the host as the agent does.
 */

import { mkdirSync } from "node:fs";
import type { MeshId, NodeId, TaskId } from "../../model/ids.ts";
import { OperationError, type Problem } from "../../model/problem.ts";
import type {
  Engine,
  EngineReport,
  ExecOptions,
  ExecSession,
  LogChunk,
  LogOptions,
  Sessions,
  StartOrder,
  StopOrder,
  TaskStats,
} from "../../ports.ts";
import { pause } from "../pause.ts";
import { Reports } from "../reports.ts";
import { readStat } from "./kernel.ts";
import { ProcessSessions } from "./process-sessions.ts";
import { ProcessTask, type TaskSurroundings } from "./process-task.ts";
import { TaskDirectory } from "./task-directory.ts";
import { logBytesMax } from "./task-log.ts";
import { assignPorts } from "./task-ports.ts";

export type ProcessEngineOptions = {
  /** Of this engine alone: a directory for each task is made in it. */
  readonly directory: string;
  /** As people know the node: it stands in problems. */
  readonly nodeName: string;
  readonly log?: (line: string) => void;
  /** Of one stream of one task, before its contents are moved away. */
  readonly logBytesMax?: number;
};

export function openProcessEngine(options: ProcessEngineOptions): Engine & Sessions {
  return new ProcessEngine(options);
}

/** How soon an end is seen that nobody tells of, and how exact the times of a log are, ms. */
const lookIntervalMs = 250;
/** The first report waits for the first checks of what was found running, but no longer. */
const firstChecksMs = 1_000;
/** A directory that cannot be made today may be there when its disk is mounted. */
const retryMs = 5_000;

class ProcessEngine implements Engine, Sessions {
  readonly kind = "process";
  readonly #nodeName: string;
  readonly #around: TaskSurroundings;
  readonly #sessions: ProcessSessions;
  readonly #reports = new Reports("process");
  readonly #tasks = new Map<TaskId, ProcessTask>();
  /** Starts come one after the other, so that two do not find the same port free. */
  #starting: Promise<void> = Promise.resolve();
  #isReporting = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: ProcessEngineOptions) {
    this.#nodeName = options.nodeName;
    this.#around = {
      root: options.directory,
      nodeName: options.nodeName,
      logBytesMax: options.logBytesMax ?? logBytesMax,
      log: options.log ?? (() => {}),
      onChange: () => this.#publish(),
    };
    this.#sessions = new ProcessSessions((task) => this.#tasks.get(task));
  }

  onReport(listener: (report: EngineReport) => void): void {
    this.#reports.onReport(listener);
  }

  open(identity: { readonly mesh: MeshId; readonly node: NodeId }): void {
    if (this.#isClosed) return;
    const problem = this.#prepare();
    if (problem !== undefined) {
      this.#reports.unavailable(problem);
      this.#retry = setTimeout(() => this.open(identity), retryMs);
      return;
    }
    for (const directory of TaskDirectory.list(this.#around.root)) {
      this.#adopt(directory, identity);
    }
    this.#timer = setInterval(() => this.#look(), lookIntervalMs);
    void this.#beginReporting();
  }

  close(): void {
    this.#isClosed = true;
    this.#isReporting = false;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    for (const task of this.#tasks.values()) task.close();
  }

  start(order: StartOrder): void {
    const { workload } = order.spec;
    if (this.#isClosed || this.#tasks.has(order.task) || workload.kind !== "process") return;
    const task = new ProcessTask(order, workload, Date.now(), this.#around);
    this.#tasks.set(order.task, task);
    this.#publish();
    this.#starting = this.#starting.then(() => this.#launch(task));
  }

  stop(order: StopOrder): void {
    this.#tasks.get(order.task)?.stop(order);
  }

  remove(task: TaskId): void {
    const known = this.#tasks.get(task);
    if (known === undefined || known.entry.removed) return;
    void known
      .remove()
      .catch((error: unknown) => this.#around.log(`cannot remove ${task}: ${error}`))
      .finally(() => this.#tasks.delete(task));
  }

  logs(task: TaskId, options: LogOptions): AsyncIterable<LogChunk> {
    return this.#sessions.logs(task, options);
  }

  exec(task: TaskId, options: ExecOptions): Promise<ExecSession> {
    return this.#sessions.exec(task, options);
  }

  stats(task: TaskId): Promise<TaskStats> {
    return this.#sessions.stats(task);
  }

  /** Undefined when tasks can be run here. */
  #prepare(): Problem | undefined {
    const place = { engine: "process", node: this.#nodeName };
    if (readStat(process.pid) === undefined) {
      return { code: "engine-unavailable", ...place, detail: "it needs Linux's /proc" };
    }
    try {
      mkdirSync(this.#around.root, { recursive: true, mode: 0o700 });
      return undefined;
    } catch (error) {
      const detail = (error as Error).message;
      return { code: "engine-unavailable", ...place, detail };
    }
  }

  async #beginReporting(): Promise<void> {
    const tasks = [...this.#tasks.values()];
    await pause(firstChecksMs, Promise.all(tasks.map((task) => task.firstChecks)));
    this.#isReporting = !this.#isClosed;
    this.#publish();
  }

  #publish(): void {
    if (!this.#isReporting) return;
    this.#reports.observed([...this.#tasks.values()].map(({ entry }) => entry));
  }

  #look(): void {
    const nowMs = Date.now();
    for (const task of this.#tasks.values()) task.look(nowMs);
  }

  #adopt(
    directory: TaskDirectory,
    { mesh, node }: { readonly mesh: MeshId; readonly node: NodeId },
  ): void {
    const { log } = this.#around;
    const record = directory.read();
    if (record === "absent") {
      void directory.remove().catch((error: unknown) => log(`${directory.path}: ${error}`));
      return;
    }
    if (record === undefined) {
      log(`${directory.path} is damaged and left alone`);
      return;
    }
    const { order, createdAtMs } = record;
    const { workload } = order.spec;
    const isOurs = order.mesh === mesh && order.node === node;
    if (!isOurs || workload.kind !== "process" || this.#tasks.has(order.task)) return;
    const task = new ProcessTask(order, workload, createdAtMs, this.#around);
    this.#tasks.set(order.task, task);
    task.adopt(record);
  }

  async #launch(task: ProcessTask): Promise<void> {
    try {
      const taken = new Set([...this.#tasks.values()].flatMap(({ ports }) => ports));
      const ports = await assignPorts(task.order.spec, taken, this.#nodeName);
      if (!task.isOver && !task.entry.removed && !this.#isClosed) task.launch(ports);
    } catch (error) {
      task.refuse(this.#problemOf(error));
    }
  }

  #problemOf(error: unknown): Problem {
    if (error instanceof OperationError) return error.problems[0] as Problem;
    const { code, message: detail } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC") return { code: "disk-full", path: this.#around.root };
    return { code: "engine-refused", engine: "process", node: this.#nodeName, detail };
  }
}
