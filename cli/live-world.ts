/**
 * The world as it is, for commands that a person types. A door that puts the other doors together.
 */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OperationError } from "../model/problem.ts";
import { openLocalAgent } from "./agent-process.ts";
import { readBytes, writePrivate } from "./backup-file.ts";
import { type Connection, connect, connectFirst, connectSocket } from "./connection.ts";
import { configDirectory, openPersonFiles } from "./context-file.ts";
import { type Context, type ContextFile, findContext } from "./contexts.ts";
import { runExec } from "./exec-session.ts";
import type { Target } from "./program.ts";
import { openTerminal } from "./terminal.ts";
import type { World } from "./world.ts";

export type LiveWorld = World & { close(): Promise<void> };

export function openWorld(target: Target, version: string): LiveWorld {
  const terminal = openTerminal();
  const agent = openLocalAgent();
  const files = openPersonFiles(configDirectory(process.env, homedir()));
  const env = environment();
  const share = env.XDG_DATA_HOME ?? join(homedir(), ".local", "share");
  const opened: Connection[] = [];
  const remember = (connection: Connection): Connection => {
    opened.push(connection);
    return connection;
  };
  let mesh: Connection | undefined;
  const main = (): Connection => {
    const context = choose(files.contexts, target);
    const dataDirectories = ["/var/lib/shoal", join(share, "shoal")];
    mesh ??= remember(connect({ target, context, dataDirectories, key: files.key }));
    return mesh;
  };
  return {
    version,
    env,
    directory: process.cwd(),
    terminal,
    agent,
    get mesh() {
      return main();
    },
    get contexts() {
      return files.contexts;
    },
    get context() {
      return choose(files.contexts, target);
    },
    meshAt(socket) {
      const known = files.contexts.contexts.find((context) => context.socket === socket);
      return remember(connectSocket(socket, known?.mesh, files.key()));
    },
    async reach(context) {
      const found = await connectFirst(context, files.key());
      return found === undefined ? undefined : remember(found);
    },
    saveContexts: (contexts) => files.save(contexts),
    key: () => files.key(),
    readText,
    readBytes,
    writePrivate,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    nowMs: () => Date.now(),
    sleep: async (ms) => await sleep(ms),
    async follow(items, print) {
      for await (const item of items) terminal.print(print(item));
    },
    exec: async (request) => await runExec(await main().exec(request), request),
    async askAdmission(token, name) {
      const { joinAsPerson } = await import("../api/admission.ts");
      return await joinAsPerson(token, files.key(), name);
    },
    async close() {
      terminal.close();
      for (const connection of opened) await connection.close();
    },
  };
}

/** `--context` must be there; without it, whichever is in use, if any. */
function choose(file: ContextFile, { context }: Target): Context | undefined {
  if (context === undefined) return file.contexts.find(({ name }) => name === file.current);
  const found = findContext(file, context);
  if ("code" in found) throw new OperationError(found);
  return found;
}

function environment(): Record<string, string> {
  const set = Object.entries(process.env).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set) as Record<string, string>;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
