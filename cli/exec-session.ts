/** `shoal exec`: this terminal joined to a command in a task. A door. */

import { once } from "node:events";
import type { ExecSession } from "../ports.ts";
import type { ExecRequest } from "./world.ts";

/** Resolves with the command's exit code. The terminal is put back whatever happens. */
export async function runExec(session: ExecSession, { tty, stdin }: ExecRequest): Promise<number> {
  const isRaw = tty && stdin && process.stdin.isTTY === true;
  const resize = (): void => session.resize(process.stdout.columns, process.stdout.rows);
  if (tty && process.stdout.isTTY) {
    resize();
    process.stdout.on("resize", resize);
  }
  if (isRaw) process.stdin.setRawMode(true);
  try {
    if (stdin) void passInput(session);
    else session.endInput();
    await passOutput(session);
    return await session.done;
  } finally {
    process.stdout.off("resize", resize);
    if (isRaw) process.stdin.setRawMode(false);
    process.stdin.destroy();
  }
}

/** Ends quietly with the session: what was typed after its end has nowhere to go. */
async function passInput(session: ExecSession): Promise<void> {
  try {
    for await (const chunk of process.stdin) await session.write(chunk as Uint8Array);
    session.endInput();
  } catch {
    session.endInput();
  }
}

async function passOutput(session: ExecSession): Promise<void> {
  for await (const { stream, data } of session.output) {
    const target = stream === "stderr" ? process.stderr : process.stdout;
    if (!target.write(data)) await once(target, "drain");
  }
}
