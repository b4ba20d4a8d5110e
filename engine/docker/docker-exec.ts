/** Commands in running containers: sessions for people, and checks. A door. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type Dockerode from "dockerode";
import type { ExecOptions, ExecSession } from "../../ports.ts";
import type { DockerDaemon } from "./daemon.ts";
import { DockerGone, DockerRefusal } from "./refusals.ts";
import { FrameReader } from "./stream-frames.ts";

/** Throws DockerRefusal when the container does not run or has no such command. */
export async function execInContainer(
  daemon: DockerDaemon,
  container: string,
  options: ExecOptions,
): Promise<ExecSession> {
  const exec = await daemon.ask((abortSignal) =>
    daemon.api.getContainer(container).exec({ ...execOptions(options), abortSignal }),
  );
  const start = { hijack: true, stdin: true, Tty: options.tty, Detach: false };
  const stream = await daemon.ask(
    (abortSignal) => exec.start({ ...start, abortSignal }) as Promise<Duplex>,
  );
  return new DockerExecSession(daemon, exec, stream, container, options.tty);
}

function execOptions(options: ExecOptions): Dockerode.ExecCreateOptions {
  const { command, tty, stdin, env, user, workingDir } = options;
  return {
    Cmd: [...command],
    Tty: tty,
    AttachStdin: stdin,
    AttachStdout: true,
    AttachStderr: true,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...(user === undefined ? {} : { User: user }),
    ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
  };
}

const exitPauseMs = 50;
const exitTriesMax = 40;

class DockerExecSession implements ExecSession {
  readonly output: ExecSession["output"];
  readonly done: Promise<number>;
  readonly #daemon: DockerDaemon;
  readonly #exec: Dockerode.Exec;
  readonly #stream: Duplex;
  readonly #container: string;

  constructor(
    daemon: DockerDaemon,
    exec: Dockerode.Exec,
    stream: Duplex,
    container: string,
    tty: boolean,
  ) {
    this.#daemon = daemon;
    this.#exec = exec;
    this.#stream = stream;
    this.#container = container;
    // A connection cut short is an end like any other: the exit code is asked for after it.
    stream.on("error", () => {});
    const closed = new Promise<void>((resolve) => {
      for (const end of ["end", "close", "error"]) stream.once(end, () => resolve());
    });
    this.done = closed.then(() => this.#exitCode());
    // Whoever waits sees its failure; whoever does not is not to fall over it.
    this.done.catch(() => {});
    this.output = readOutput(stream, tty);
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#stream.writableEnded || this.#stream.destroyed) return;
    if (!this.#stream.write(data)) {
      await Promise.race([once(this.#stream, "drain"), once(this.#stream, "close")]);
    }
  }

  endInput(): void {
    this.#stream.end();
  }

  resize(columns: number, rows: number): void {
    const size = { w: columns, h: rows };
    void this.#daemon
      .ask((abortSignal) => this.#exec.resize({ ...size, abortSignal } as typeof size))
      .catch(() => {});
  }

  kill(): void {
    void this.#kill().catch(() => {});
  }

  async #kill(): Promise<void> {
    const { Pid, Running } = await this.#inspect();
    if (Running && isInside(Pid, this.#container)) process.kill(Pid, "SIGKILL");
    else this.#stream.destroy();
  }

  /** The stream may end a moment before the daemon has heard how the command did. */
  async #exitCode(): Promise<number> {
    for (let tries = 0; tries < exitTriesMax; tries++) {
      const { ExitCode, Running } = await this.#inspect();
      if (!Running && ExitCode !== null) return ExitCode;
      await sleep(exitPauseMs);
    }
    throw new DockerGone("the session was cut off");
  }

  #inspect(): Promise<Dockerode.ExecInspectInfo> {
    return this.#daemon.ask((abortSignal) => this.#exec.inspect({ abortSignal }));
  }
}

async function* readOutput(stream: Duplex, tty: boolean): ExecSession["output"] {
  const frames = new FrameReader();
  try {
    for await (const chunk of stream) {
      const data = chunk as Uint8Array;
      if (tty) yield { stream: "stdout", data };
      else yield* frames.push(data);
    }
  } catch {
    // `done` tells how it ended.
  }
}

/**
 * Docker has no way to end an exec. Its pid is one of this machine, unless the daemon counts in
 * another namespace: only a process that is in the container's control group is killed.
 */
function isInside(pid: number, container: string): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(container);
  } catch {
    return false;
  }
}

/** A check: true for exit code 0 in time, undefined when the daemon was not there to ask. */
export async function runInContainer(
  daemon: DockerDaemon,
  container: string,
  command: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const options = { command, tty: false, stdin: false, env: {} };
  let stop = (): void => {};
  try {
    const session = await execInContainer(daemon, container, options);
    const kill = (): void => session.kill();
    const timer = setTimeout(kill, timeoutMs);
    signal.addEventListener("abort", kill, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
    };
    for await (const _ of session.output);
    return (await session.done) === 0;
  } catch (error) {
    return error instanceof DockerRefusal ? false : undefined;
  } finally {
    stop();
  }
}
