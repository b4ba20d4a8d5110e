/**
 * The Unix socket's place in the file system: free to be taken, or left over by an agent that died
 * and to be removed, or in use. A door.
 */

import { lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { OperationError } from "../model/problem.ts";

/** An agent that hangs still has its socket: the kernel connects in its stead. */
const probeMsMax = 2_000;

/** Listens at the path, for this user alone, or throws the problem. */
export async function listenAt(path: string, server: Server): Promise<void> {
  await clear(path);
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(problemOf(error, path));
    server.once("error", refuse);
    // The socket gets its mode as it is made, in this very call: there is no moment for others.
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off("error", refuse);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

async function clear(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const detail = "something that is no socket is there";
    throw new OperationError({ code: "data-directory-unwritable", path, detail });
  }
  if (await isAnswered(path)) {
    const holder = "it answers at that socket";
    throw new OperationError({ code: "data-directory-locked", path, holder });
  }
  unlinkSync(path);
}

/** Only a refusal proves that nobody is there. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const timer = setTimeout(() => end(true), probeMsMax);
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      probe.destroy();
      resolve(answer);
    };
    probe.once("connect", () => end(true));
    probe.once("error", ({ code }: NodeJS.ErrnoException) => {
      end(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}

function problemOf(error: NodeJS.ErrnoException, path: string): OperationError {
  if (error.code === "EADDRINUSE") {
    const holder = "it took that socket just now";
    return new OperationError({ code: "data-directory-locked", path, holder }, { cause: error });
  }
  const detail = error.message;
  return new OperationError({ code: "data-directory-unwritable", path, detail }, { cause: error });
}
