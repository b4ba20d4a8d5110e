/** Tasks that tests write the logs of, and commands that a table knows. */

import { Channel } from "../../api/channel.ts";
import type { TaskId } from "../../model/ids.ts";
import { OperationError } from "../../model/problem.ts";
import type { ExecOptions, ExecSession, LogChunk, LogOptions, Sessions } from "../../ports.ts";

type Log = { readonly lines: LogChunk[]; ended: boolean; readonly wakers: Set<() => void> };

export class FakeSessions implements Sessions {
  readonly #logs = new Map<string, Log>();
  /** Open readers of logs. */
  readers = 0;
  /** Lines handed out so far: how far a reader has got. */
  handedOut = 0;
  readonly execs: { task: TaskId; options: ExecOptions; session: FakeExec }[] = [];

  write(task: string, atMs: number, line: string): void {
    const log = this.#log(task);
    log.lines.push({ task: task as TaskId, stream: "stdout", atMs, line });
    for (const wake of [...log.wakers]) wake();
  }

  end(task: string): void {
    const log = this.#log(task);
    log.ended = true;
    for (const wake of [...log.wakers]) wake();
  }

  #log(task: string): Log {
    const known = this.#logs.get(task) ?? { lines: [], ended: false, wakers: new Set() };
    this.#logs.set(task, known);
    return known;
  }

  async *logs(task: TaskId, { follow, tail, sinceMs, signal }: LogOptions) {
    const log = this.#logs.get(task);
    if (log === undefined) throw new OperationError({ code: "task-unknown", task });
    this.readers++;
    try {
      const since = log.lines.filter(({ atMs }) => atMs >= (sinceMs ?? 0));
      let at =
        log.lines.length - (tail === undefined ? since.length : Math.min(tail, since.length));
      while (!signal.aborted) {
        const line = log.lines[at];
        if (line !== undefined) {
          at++;
          this.handedOut++;
          yield line;
        } else if (!follow || log.ended) return;
        else await woken(log.wakers, signal);
      }
    } finally {
      this.readers--;
    }
  }

  async exec(task: TaskId, options: ExecOptions): Promise<ExecSession> {
    const [command = ""] = options.command;
    if (!(command in commands)) {
      throw new OperationError({ code: "command-not-found", command, node: "host1" });
    }
    const session = new FakeExec(options, commands[command] as Command);
    this.execs.push({ task, options, session });
    return session;
  }

  async stats(task: TaskId) {
    if (!this.#logs.has(task)) throw new OperationError({ code: "task-unknown", task });
    return { cpu: 0.5, memoryBytes: 1024, pids: 2 };
  }
}

function woken(wakers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      wakers.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    wakers.add(wake);
    signal.addEventListener("abort", wake);
  });
}

type Command = (exec: FakeExec) => Promise<number>;
const encoder = new TextEncoder();

const commands: Readonly<Record<string, Command>> = {
  /** Echoes its input, to standard error as well. */
  cat: async (exec) => {
    for await (const data of exec.input) {
      await exec.print("stdout", data);
      await exec.print("stderr", data);
    }
    return 0;
  },
  exit: async ({ options }) => Number(options.command[1]),
  env: async (exec) => {
    await exec.print("stdout", encoder.encode(JSON.stringify(exec.options)));
    return 0;
  },
  /** Says how large its terminal is, whenever it is told. */
  size: async (exec) => {
    for await (const data of exec.input) await exec.print("stdout", data);
    return 0;
  },
  /** As many bytes as it is told. */
  flood: async (exec) => {
    const chunk = new Uint8Array(16 * 1024).fill(120);
    for (let left = Number(exec.options.command[1]); left > 0; left -= chunk.length) {
      await exec.print("stdout", chunk.subarray(0, Math.min(left, chunk.length)));
      exec.printed += Math.min(left, chunk.length);
    }
    return 0;
  },
  /** Takes no input for as long as it runs. */
  deaf: async (exec) => {
    await exec.killed;
    return 137;
  },
  fail: async ({ options }) => {
    const detail = "the engine went away";
    throw new OperationError({ code: "exec-failed", task: options.command[1] ?? "", detail });
  },
};

type Output = { stream: "stdout" | "stderr"; data: Uint8Array };

export class FakeExec implements ExecSession {
  readonly options: ExecOptions;
  readonly input = new Channel<Uint8Array>();
  readonly output = new Channel<Output>();
  readonly done: Promise<number>;
  readonly killed: Promise<void>;
  #kill: () => void = () => {};
  kills = 0;
  printed = 0;
  received = 0;

  constructor(options: ExecOptions, run: Command) {
    this.options = options;
    this.killed = new Promise((resolve) => {
      this.#kill = resolve;
    });
    this.done = run(this);
    this.done.then(
      () => this.output.end(),
      (error) => this.output.end(error),
    );
  }

  async print(stream: Output["stream"], data: Uint8Array): Promise<void> {
    await this.output.push({ stream, data });
  }

  async write(data: Uint8Array): Promise<void> {
    this.received += data.length;
    if (this.options.command[0] === "deaf") await this.killed;
    else await this.input.push(data.slice());
  }

  endInput(): void {
    this.input.end();
  }

  resize(columns: number, rows: number): void {
    void this.input.push(encoder.encode(`${columns}x${rows}\n`));
  }

  kill(): void {
    this.kills++;
    this.#kill();
    this.input.end();
    this.output.end();
  }
}
