/** What people ask of a process: its log, a command beside it, what it uses. A door. */

import { setTimeout as sleep } from "node:timers/promises";
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
import type { GroupUsage } from "./control-group.ts";
import { pageBytes, sessionOf, ticksPerSecond } from "./kernel.ts";
import { runSession, runTerminalSession } from "./process-exec.ts";
import type { ProcessTask } from "./process-task.ts";

/** Between the two looks that tell how busy a task is, ms. */
const sampleMs = 200;

export class ProcessSessions implements Sessions {
  readonly #find: (task: TaskId) => ProcessTask | undefined;

  constructor(find: (task: TaskId) => ProcessTask | undefined) {
    this.#find = find;
  }

  async *logs(task: TaskId, options: LogOptions): AsyncIterable<LogChunk> {
    const known = this.#known(task);
    yield* known.log.read(options, () => known.isOver || known.entry.removed);
  }

  async exec(task: TaskId, options: ExecOptions): Promise<ExecSession> {
    const known = this.#known(task);
    const fail = (detail: string): OperationError =>
      new OperationError({ code: "exec-failed", task, detail });
    if (known.pid === undefined) throw fail("it does not run");
    if (options.user !== undefined) {
      throw fail("a process has no users of its own: leave --user out");
    }
    const command = known.command(options.command, options);
    if (command === undefined) throw fail(`there is no command called ${options.command[0]}`);
    const script = options.tty ? known.command(["script"])?.program : undefined;
    if (options.tty && script === undefined) {
      throw fail("no terminal can be had without the command script (Debian: bsdutils)");
    }
    try {
      const session =
        script === undefined ? runSession(command) : runTerminalSession(script, command);
      if (!options.stdin) (await session).endInput();
      return await session;
    } catch (error) {
      throw fail(error instanceof Error ? error.message : String(error));
    }
  }

  async stats(task: TaskId): Promise<TaskStats> {
    const known = this.#known(task);
    const before = usageOf(known);
    const startMs = performance.now();
    await sleep(sampleMs);
    const after = usageOf(known);
    const passedMs = performance.now() - startMs;
    return {
      cpu: Math.max(0, after.cpuMicroseconds - before.cpuMicroseconds) / 1000 / passedMs,
      memoryBytes: after.memoryBytes,
      pids: after.pids,
    };
  }

  #known(task: TaskId): ProcessTask {
    const known = this.#find(task);
    if (known === undefined) throw new OperationError({ code: "task-unknown", task });
    return known;
  }
}

/** By control group where there is one, else by the processes of the task's session. */
function usageOf(task: ProcessTask): GroupUsage {
  const { pid, group } = task;
  if (pid === undefined) return { cpuMicroseconds: 0, memoryBytes: 0, pids: 0 };
  const { usage } = group;
  if (usage !== undefined) return usage;
  const processes = sessionOf(pid);
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return {
    cpuMicroseconds: (sum(processes.map(({ cpuTicks }) => cpuTicks)) / ticksPerSecond) * 1e6,
    memoryBytes: sum(processes.map(({ residentPages }) => residentPages)) * pageBytes,
    pids: processes.length,
  };
}
