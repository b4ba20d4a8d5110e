/**
 * The agent as a process of this machine: started, awaited, stopped with this command. A door.
 * The agent itself is node/main.ts; nothing of it is loaded here.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { problemsAnswer } from "../api/shapes.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import type { AgentFile, AgentStart, LocalAgent } from "./world.ts";

/** Joining asks several addresses in turn before it gives up; an agent alone answers in 1 s. */
const answerMsMax = 60_000;
const pollMs = 50;

const shape = z.object({
  mesh: z.string(),
  name: z.string(),
  secret: z.string(),
  node: z.string(),
});

/** In one file where bin/with-node could make it. */
const entry = process.env.SHOAL_AGENT ?? fileURLToPath(new URL("../node/main.ts", import.meta.url));

export function openLocalAgent(entryPath: string = entry): LocalAgent {
  let child: ChildProcess | undefined;
  return {
    isRoot: process.getuid?.() === 0,
    home: homedir(),
    read: readAgentFile,
    seed: readSeed,
    async start(start) {
      await refuseRunning(start.data, start.socket);
      makeDirectory(start.data);
      child = launch(entryPath, start);
      await untilAnswers(child, start);
      if (start.detach) child.unref();
    },
    async forget(data, socket) {
      await refuseRunning(data, socket);
      emptyDirectory(data);
    },
    async finished() {
      return child === undefined ? 0 : await untilExit(child);
    },
  };
}

/** Undefined when there is no node yet; the agent writes the file in one piece. */
function readAgentFile(data: string): AgentFile | undefined {
  try {
    const result = shape.safeParse(JSON.parse(readFileSync(join(data, "mesh.json"), "utf8")));
    return result.success ? (result.data as unknown as AgentFile) : undefined;
  } catch {
    return undefined;
  }
}

/** A node that could not begin has its key already. */
function readSeed(data: string): Uint8Array | undefined {
  try {
    const seed = readFileSync(join(data, "node.key"));
    return seed.length === 32 ? new Uint8Array(seed) : undefined;
  } catch {
    return undefined;
  }
}

async function refuseRunning(path: string, socket: string): Promise<void> {
  if (!(await answers(socket))) return;
  const holder = `it answers at ${socket}`;
  throw new OperationError({ code: "data-directory-locked", path, holder });
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperationError({ code: "data-directory-unwritable", path, detail });
  }
}

/** The directory itself may be a mount, and stays. */
function emptyDirectory(path: string): void {
  try {
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperationError({ code: "data-directory-unwritable", path, detail });
  }
}

/**
 * An agent makes little garbage and lives long: a young generation of 1 MiB, one thread beside the
 * main one for V8's own work, and one heap of malloc's for all threads save 20 MB.
 */
const agentFlags = [
  "--disable-warning=ExperimentalWarning",
  "--max-semi-space-size=1",
  "--v8-pool-size=1",
  "--no-parallel-scavenge",
];

function launch(entryPath: string, start: AgentStart): ChildProcess {
  const input = start.input === undefined ? "ignore" : "pipe";
  const output = start.detach ? openLog(start.data) : "inherit";
  const child = spawn(process.execPath, [...agentFlags, entryPath, ...start.args], {
    // The last is the way on which it says why it cannot start: see node/main.ts.
    stdio: [input, output, output, "ipc"],
    detached: start.detach,
    env: { ...process.env, MALLOC_ARENA_MAX: "1" },
    // An agent that outlives this command must not hold on to the directory it was typed in.
    cwd: start.detach ? "/" : process.cwd(),
  });
  // An agent that ends at once breaks the pipe; its exit code says more.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(start.input);
  return child;
}

function logPath(data: string): string {
  return join(data, "agent.log");
}

function openLog(data: string): number {
  try {
    return openSync(logPath(data), "a", 0o600);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperationError({ code: "data-directory-unwritable", path: data, detail });
  }
}

async function untilAnswers(child: ChildProcess, start: AgentStart): Promise<void> {
  const logStart = start.detach ? statSync(logPath(start.data)).size : 0;
  const deadline = performance.now() + answerMsMax;
  const watched = watch(child);
  while (!(await answers(start.socket))) {
    if (watched.ended !== undefined) {
      if (watched.problems.length > 0) throw new OperationError(watched.problems);
      // Without a terminal of its own, its last words stand in its log.
      if (start.detach) process.stderr.write(readFileSync(logPath(start.data)).subarray(logStart));
      throw failure(watched.ended);
    }
    if (performance.now() > deadline) {
      child.kill();
      throw failure(`the agent did not answer within ${answerMsMax / 1000} s`);
    }
    await sleep(pollMs);
  }
  if (child.connected) child.disconnect();
}

/** How it ended, once it has, and what it said was wrong. */
function watch(child: ChildProcess) {
  const watched: { ended: string | undefined; problems: readonly Problem[] } = {
    ended: undefined,
    problems: [],
  };
  child.on("message", (message) => {
    const said = problemsAnswer.safeParse(message);
    if (said.success) watched.problems = said.data;
  });
  // Not at its exit: what it said before may be on its way still.
  child.once("close", (code, signal) => {
    watched.ended = `the agent ended (${signal ?? `exit code ${code}`}) before it answered`;
  });
  child.once("error", (error) => {
    watched.ended = `the agent cannot be started: ${error.message}`;
  });
  return watched;
}

function failure(detail: string): OperationError {
  const problem: Problem = { code: "request-timeout", detail };
  return new OperationError(problem);
}

/** Whether somebody listens at the socket; a file left over by a dead agent refuses. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

/** On a terminal, Ctrl-C reaches the agent by itself; a signal to this command is passed on. */
function untilExit(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  const pass = (signal: NodeJS.Signals): void => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, pass);
  return new Promise((resolve) => {
    child.once("exit", (code) => {
      for (const signal of signals) process.off(signal, pass);
      resolve(code ?? 1);
    });
  });
}
