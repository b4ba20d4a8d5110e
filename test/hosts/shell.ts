/** Running commands of the machine: bounded in time, with their words when they fail. */

import { spawn } from "node:child_process";

export type Output = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly input?: string | Uint8Array;
  /** Killed when it takes longer. */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
};

const timeoutMsDefault = 30_000;
/** How long the output of a command that has ended may still be on its way. */
const lingerMs = 250;

/** Ends with the exit code, whatever it is; 124 after a timeout, as timeout(1) says. */
export function attempt(command: readonly string[], options: RunOptions = {}): Promise<Output> {
  const [program, ...args] = command as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const env = options.env ?? process.env;
    const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    const said = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout.on("data", (chunk: Buffer) => said.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => said.stderr.push(chunk));
    // A command that does not read its input breaks the pipe; its exit code says more.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? timeoutMsDefault);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    let code = 0;
    const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString("utf8");
    const finish = () => resolve({ code, stdout: text(said.stdout), stderr: text(said.stderr) });
    child.once("close", finish);
    child.once("exit", (exit) => {
      clearTimeout(timer);
      code = late ? 124 : (exit ?? 137);
      // A daemon that it left behind may hold the pipes open for ever.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, lingerMs).unref();
    });
  });
}

/** Its output, or an error that says what it said. `shown` stands for a command that is wrapped. */
export async function run(
  command: readonly string[],
  options: RunOptions = {},
  shown = command.join(" "),
): Promise<string> {
  const { code, stdout, stderr } = await attempt(command, options);
  if (code !== 0) {
    throw new Error(`${shown}: exit ${code}\n${stderr || stdout}`.trim());
  }
  return stdout;
}
