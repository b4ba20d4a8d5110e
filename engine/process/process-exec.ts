/** Commands run beside a task, in its environment and directory. A door. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import type { ExecSession } from "../../ports.ts";
import type { Environment } from "../environment.ts";
import { signalGroup } from "./kernel.ts";

export type Command = {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly directory: string;
};

/** Throws an Error with the system's words when the program cannot be started. */
export async function runSession(command: Command): Promise<ExecSession> {
  const child = start(command, "pipe");
  await once(child, "spawn");
  return new ProcessSession(child);
}

/**
 * The same on a terminal of its own, which script(1) makes: Node cannot make one. Its stdin is no
 * terminal, for which it would turn the echo off.
 */
export async function runTerminalSession(script: string, command: Command): Promise<ExecSession> {
  const line = ["exec", command.program, ...command.args].map(quote).join(" ");
  const args = ["-q", "-e", "-f", "-E", "always", "-c", line, "/dev/null"];
  const environment = { SHELL: "/bin/sh", TERM: "xterm", ...command.environment };
  const child = start({ ...command, program: script, args, environment }, "pipe");
  await once(child, "spawn");
  return new TerminalSession(child);
}

/** A check: whether it ended well in time. */
export async function runsWell(
  command: Command,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const child = start(command, "ignore");
  const kill = (): void => killGroup(child);
  const timer = setTimeout(kill, timeoutMs);
  signal.addEventListener("abort", kill, { once: true });
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code === 0;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  }
}

/** In a session of its own, so that all it starts can be ended with it. */
function start(
  { program, args, environment, directory }: Command,
  stdio: "pipe" | "ignore",
): ChildProcess {
  return spawn(program, args, { cwd: directory, env: { ...environment }, stdio, detached: true });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    signalGroup(pid, "SIGKILL");
  } catch {
    // Not ours any more: it has changed its user.
  }
}

class ProcessSession implements ExecSession {
  readonly output: ExecSession["output"];
  readonly done: Promise<number>;
  protected readonly child: ChildProcess;

  constructor(child: ChildProcess) {
    this.child = child;
    this.done = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve(exitCode(code, signal)));
    });
    // Typing on after its end is no failure of anybody's.
    child.stdin?.on("error", () => {});
    this.output = readBoth(child);
  }

  async write(data: Uint8Array): Promise<void> {
    const { stdin } = this.child;
    if (stdin === null || stdin.writableEnded || stdin.destroyed) return;
    if (!stdin.write(data)) await Promise.race([once(stdin, "drain"), once(stdin, "close")]);
  }

  endInput(): void {
    this.child.stdin?.end();
  }

  resize(_columns: number, _rows: number): void {}

  kill(): void {
    killGroup(this.child);
  }
}

class TerminalSession extends ProcessSession {
  /** stty sets the size of a terminal it is told of, and the kernel tells who sits at it. */
  override resize(columns: number, rows: number): void {
    const terminal = terminalOf(this.child.pid);
    if (terminal === undefined) return;
    const size = ["cols", String(columns), "rows", String(rows)];
    spawn("stty", ["-F", terminal, ...size], { stdio: "ignore" }).on("error", () => {});
  }

  override kill(): void {
    for (const pid of childrenOf(this.child.pid)) {
      try {
        signalGroup(pid, "SIGKILL");
      } catch {
        // It has just ended, or is no group's leader: script's own end hangs it up.
      }
    }
    super.kill();
  }
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** What waits here for somebody to take it stays below this, bytes; then the pipes fill up. */
const queueBytesMax = 65_536;

async function* readBoth(child: ChildProcess): ExecSession["output"] {
  const queue: { stream: "stdout" | "stderr"; data: Uint8Array }[] = [];
  const pipes = (["stdout", "stderr"] as const).flatMap((stream) => {
    const pipe = child[stream];
    return pipe === null || pipe.destroyed ? [] : [{ stream, pipe }];
  });
  let open = pipes.length;
  let bytes = 0;
  let wake = (): void => {};
  for (const { stream, pipe } of pipes) {
    pipe.on("error", () => {});
    pipe.once("close", () => {
      open--;
      wake();
    });
    pipe.on("data", (data: Uint8Array) => {
      queue.push({ stream, data });
      bytes += data.length;
      if (bytes >= queueBytesMax) for (const one of pipes) one.pipe.pause();
      wake();
    });
  }
  for (;;) {
    for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
      bytes -= piece.data.length;
      if (bytes < queueBytesMax) for (const one of pipes) one.pipe.resume();
      yield piece;
    }
    if (open === 0) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

function childrenOf(pid: number | undefined): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
        .split(" ")
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}

function terminalOf(pid: number | undefined): string | undefined {
  for (const child of childrenOf(pid)) {
    try {
      const path = readlinkSync(`/proc/${child}/fd/0`);
      if (path.startsWith("/dev/pts/")) return path;
    } catch {
      // It has just ended.
    }
  }
  return undefined;
}

/** For a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
