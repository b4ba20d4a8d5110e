/** What people ask of a container: its log, a command in it, what it uses. A door. */

import { PassThrough, type Readable } from "node:stream";
import type Dockerode from "dockerode";
import type { TaskId } from "../../model/ids.ts";
import { OperationError } from "../../model/problem.ts";
import type {
  ExecOptions,
  ExecSession,
  LogChunk,
  LogOptions,
  Sessions,
  TaskStats,
} from "../../ports.ts";
import { LineSplitter } from "../log-lines.ts";
import { type DockerDaemon, quickDeadlineMs } from "./daemon.ts";
import { execInContainer } from "./docker-exec.ts";
import { DockerRefusal } from "./refusals.ts";
import { LogReader, readTerminalLine, type StampedLine } from "./stream-frames.ts";

export class DockerSessions implements Sessions {
  readonly #daemon: DockerDaemon;
  readonly #nodeName: string;
  readonly #containerOf: (task: TaskId) => string | undefined;

  constructor(
    daemon: DockerDaemon,
    nodeName: string,
    containerOf: (task: TaskId) => string | undefined,
  ) {
    this.#daemon = daemon;
    this.#nodeName = nodeName;
    this.#containerOf = containerOf;
  }

  async *logs(task: TaskId, options: LogOptions): AsyncIterable<LogChunk> {
    if (options.signal.aborted) return;
    const { stream, tty } = await this.#translate(() => this.#openLog(task, options));
    const stop = (): void => void stream.destroy();
    options.signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const line of tty ? readTerminal(stream) : readFrames(stream)) {
        if (options.sinceMs !== undefined && line.atMs < options.sinceMs) continue;
        yield { task, ...line };
      }
    } catch (error) {
      if (!options.signal.aborted) throw this.#gone(error);
    } finally {
      options.signal.removeEventListener("abort", stop);
      stream.destroy();
    }
  }

  async exec(task: TaskId, options: ExecOptions): Promise<ExecSession> {
    const container = this.#container(task);
    try {
      return await execInContainer(this.#daemon, container, options);
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw this.#gone(error);
      throw new OperationError({ code: "exec-failed", task, detail: error.message });
    }
  }

  /** Takes a second or two: the daemon measures the CPU between two samples. */
  async stats(task: TaskId): Promise<TaskStats> {
    const container = this.#daemon.api.getContainer(this.#container(task));
    const stats = await this.#translate(() =>
      this.#daemon.ask(() => container.stats({ stream: false }), quickDeadlineMs),
    );
    return readStats(stats);
  }

  async #openLog(
    task: TaskId,
    { follow, tail, sinceMs }: LogOptions,
  ): Promise<{ stream: Readable; tty: boolean }> {
    const container = this.#daemon.api.getContainer(this.#container(task));
    const info = await this.#daemon.ask((abortSignal) => container.inspect({ abortSignal }));
    const query = {
      follow,
      stdout: true,
      stderr: true,
      timestamps: true,
      ...(tail === undefined ? {} : { tail }),
      ...(sinceMs === undefined ? {} : { since: sinceMs / 1000 }),
    };
    // Its type says Buffer for the form that does not follow; it is a stream in both.
    const log = (await this.#daemon.ask(() =>
      container.logs({ ...query, follow: true, ...(follow ? {} : { follow: false as true }) }),
    )) as unknown as Readable | Buffer;
    const stream = Buffer.isBuffer(log) ? new PassThrough().end(log) : log;
    return { stream, tty: info.Config.Tty };
  }

  #container(task: TaskId): string {
    const container = this.#containerOf(task);
    if (container === undefined) throw new OperationError({ code: "task-unknown", task });
    return container;
  }

  async #translate<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof OperationError) throw error;
      if (!(error instanceof DockerRefusal)) throw this.#gone(error);
      const { message: detail } = error;
      const node = this.#nodeName;
      throw new OperationError({ code: "engine-refused", engine: "docker", node, detail });
    }
  }

  #gone(error: unknown): OperationError {
    const detail = error instanceof Error ? error.message : String(error);
    const node = this.#nodeName;
    return new OperationError({ code: "engine-unavailable", engine: "docker", node, detail });
  }
}

async function* readFrames(stream: Readable): AsyncIterable<StampedLine> {
  const log = new LogReader();
  for await (const chunk of stream) yield* log.push(chunk as Uint8Array);
  yield* log.flush();
}

async function* readTerminal(stream: Readable): AsyncIterable<StampedLine> {
  const lines = new LineSplitter();
  for await (const chunk of stream) {
    for (const line of lines.push(chunk as Uint8Array)) yield readTerminalLine(line);
  }
  const last = lines.flush();
  if (last !== undefined) yield readTerminalLine(last);
}

/** As `docker stats` counts: without the page cache that the kernel would give back. */
export function readStats(stats: Dockerode.ContainerStats): TaskStats {
  const { cpu_stats: now, precpu_stats: before, memory_stats: memory } = stats;
  const used = now.cpu_usage.total_usage - (before.cpu_usage?.total_usage ?? 0);
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const details = memory.stats as { inactive_file?: number; total_inactive_file?: number };
  const cache = details?.total_inactive_file ?? details?.inactive_file ?? 0;
  return {
    cpu: passed > 0 ? Math.max(0, used / passed) * (now.online_cpus || 1) : 0,
    memoryBytes: Math.max(0, (memory.usage ?? 0) - cache),
    pids: stats.pids_stats?.current ?? 0,
  };
}
