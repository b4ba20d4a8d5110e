/**
 * A command in a task over a byte stream: the task's side and the person's side of the frames of
 * exec-frames.ts. Neither side sends faster than the other takes. A door.
 */

import type { Duplex } from "node:stream";
import { OperationError } from "../model/problem.ts";
import type { ExecSession } from "../ports.ts";
import { type ExecFrame, ExecFrames, writeFrames } from "./exec-frames.ts";
import { hangUp } from "./hang-up.ts";
import { writePaced } from "./paced-write.ts";

/** A command that takes no input and prints nothing lives so much longer than its person, ms. */
const beatMsDefault = 15_000;

/** Resolves when the command has ended or the person has gone; then it is killed. */
export async function serveExec(
  stream: Duplex,
  session: ExecSession,
  beatMs = beatMsDefault,
): Promise<void> {
  const kill = (): void => session.kill();
  stream.on("error", () => undefined);
  stream.once("close", kill);
  void takeInput(stream, session);
  // While the command takes no input nothing is read, and the end of input stays unread as well.
  const beat = setInterval(() => {
    if (!stream.writableNeedDrain) void send(stream, { kind: "alive" });
  }, beatMs);
  try {
    for await (const { stream: kind, data } of session.output) await send(stream, { kind, data });
    await send(stream, { kind: "exit", code: await session.done });
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    await send(stream, { kind: "failure", problems: error.problems });
  } finally {
    clearInterval(beat);
    stream.off("close", kill);
    hangUp(stream);
  }
}

/** A person's side that ends without a word, or garbles its words, has gone. */
async function takeInput(stream: Duplex, session: ExecSession): Promise<void> {
  const frames = new ExecFrames();
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      for (const frame of frames.read(chunk as Uint8Array)) await take(frame, session);
    }
  } catch {
    // However it ended, nobody is there any more.
  }
  session.kill();
}

async function take(frame: ExecFrame, session: ExecSession): Promise<void> {
  switch (frame.kind) {
    case "stdin":
      // A command that closed its input takes no more; what is typed has nowhere to go.
      return await session.write(frame.data).catch(() => undefined);
    case "stdin-end":
      return session.endInput();
    case "resize":
      return session.resize(frame.columns, frame.rows);
    default:
      throw new OperationError({ code: "request-invalid", detail: `${frame.kind} as input` });
  }
}

async function send(stream: Duplex, frame: ExecFrame): Promise<void> {
  for (const bytes of writeFrames(frame)) await writePaced(stream, bytes);
}

/** The person's side. `done` comes after the output has been read to its end. */
export function joinExec(stream: Duplex, address: string): ExecSession {
  const { promise: done, resolve, reject } = Promise.withResolvers<number>();
  // Whoever reads the output is told as well.
  done.catch(() => undefined);
  stream.on("error", () => undefined);
  const output = readOutput(stream, address, resolve, reject);
  return {
    output,
    done,
    async write(data) {
      if (!stream.writable) throw gone(address);
      await send(stream, { kind: "stdin", data });
    },
    endInput: () => void send(stream, { kind: "stdin-end" }),
    resize: (columns, rows) => void send(stream, { kind: "resize", columns, rows }),
    kill: () => {
      stream.destroy();
      reject(gone(address));
    },
  };
}

type Output = { stream: "stdout" | "stderr"; data: Uint8Array };

async function* readOutput(
  stream: Duplex,
  address: string,
  resolve: (code: number) => void,
  reject: (error: unknown) => void,
): AsyncGenerator<Output> {
  try {
    const frames = new ExecFrames();
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      for (const frame of frames.read(chunk as Uint8Array)) {
        if (frame.kind === "stdout" || frame.kind === "stderr") {
          yield { stream: frame.kind, data: frame.data };
        } else if (frame.kind === "exit") {
          resolve(frame.code);
          return;
        } else if (frame.kind === "failure") throw new OperationError(frame.problems);
      }
    }
    throw gone(address);
  } catch (error) {
    const told = error instanceof OperationError ? error : gone(address);
    reject(told);
    throw told;
  } finally {
    reject(gone(address));
    hangUp(stream);
  }
}

function gone(address: string): OperationError {
  const detail = "the session broke off";
  return new OperationError({ code: "peer-unreachable", address, detail });
}
