/**
 * The way from a command to a mesh: `--peer` addresses, else the context's socket, else its peers
 * in order, else the socket of an agent on this machine. Opened with the first question, since
 * many commands ask none. A door.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../api/client.ts";
import { fromBase64, type PersonKey } from "../api/person.ts";
import type { MeshId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import type { ExecSession } from "../ports.ts";
import { answers } from "./agent-process.ts";
import type { Context } from "./contexts.ts";
import type { Target } from "./program.ts";
import type { ExecRequest, Mesh } from "./world.ts";

/** Dialling gives up by itself after 5 s, and says why; this is for the rest. */
const dialMsMax = 8_000;

export type Way = {
  readonly target: Target;
  readonly context: Context | undefined;
  /** Where agents of this machine usually answer. */
  readonly dataDirectories: readonly string[];
  key(): PersonKey;
};

type Opened = { readonly client: Client; readonly address: string };

export type Connection = Mesh & {
  exec(request: ExecRequest): Promise<ExecSession>;
  close(): Promise<void>;
};

export function connect(way: Way): Connection {
  let opened: Promise<Opened> | undefined;
  let address = "";
  const client = async (): Promise<Client> => {
    opened ??= open(way);
    const found = await opened;
    address = found.address;
    return found.client;
  };
  return {
    get address() {
      return address;
    },
    version: async () => (await client()).version(),
    view: async () => (await client()).view(),
    drafts: async (keys) => (await client()).drafts(keys),
    write: async (writes) => (await client()).write(writes),
    plan: async (documents, removals) => (await client()).plan(documents, removals),
    trust: async () => (await client()).trust(),
    backup: async () => (await client()).backup(),
    logs: (query) => later(async () => (await client()).logs(query)),
    events: () => later(async () => (await client()).events()),
    leave: async () => (await client()).leave(),
    exec: async ({ task, ...options }) => (await client()).exec(task, present(options)),
    close: async () => {
      // Nothing to close where nothing could be opened.
      const found = await opened?.catch(() => undefined);
      await found?.client.close();
    },
  };
}

/** Of the agent that has this socket, whatever the context says. */
export function connectSocket(
  socket: string,
  mesh: MeshId | undefined,
  key: PersonKey,
): Connection {
  const context = { name: "", mesh: mesh ?? ("" as MeshId), secret: "", peers: [], socket };
  const target = { context: undefined, peers: [] };
  return connect({ target, context, dataDirectories: [], key: () => key });
}

/**
 * By whichever of its peers answers first; undefined when none does. Throws when the only answers
 * are that this key is refused.
 */
export async function connectFirst(
  context: Context,
  key: PersonKey,
): Promise<Connection | undefined> {
  const tried = context.peers.map(async (peer) => {
    const target = { context: undefined, peers: [peer] };
    const connection = connect({ target, context, dataDirectories: [], key: () => key });
    await connection.version();
    return connection;
  });
  let first: Connection;
  try {
    first = await Promise.any(tried);
  } catch (error) {
    const refused = refusals((error as AggregateError).errors);
    if (refused.length > 0) throw new OperationError(refused);
    return undefined;
  }
  // The others are let go as they come.
  for (const one of tried) {
    one.then((other) => (other === first ? undefined : other.close())).catch(() => undefined);
  }
  return first;
}

function refusals(errors: readonly unknown[]): Problem[] {
  return errors.flatMap((error) => {
    if (!(error instanceof OperationError)) throw error;
    return error.problems.filter(({ code }) => code === "key-refused");
  });
}

async function* later<Item>(open: () => Promise<AsyncIterable<Item>>): AsyncIterable<Item> {
  yield* await open();
}

function present({ user, workingDir, ...options }: Omit<ExecRequest, "task">) {
  return {
    ...options,
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
  };
}

async function open(way: Way): Promise<Opened> {
  const { target, context } = way;
  if (target.peers.length > 0) return await openFirst(target.peers, way);
  if (context?.socket !== undefined && (await answers(context.socket))) {
    // Before `up` has told which mesh it is, requests go unsigned: the socket is root's own.
    const mesh = context.mesh === "" ? undefined : context.mesh;
    return await openSocket(context.socket, mesh, way);
  }
  if (context !== undefined && context.peers.length > 0) return await openFirst(context.peers, way);
  const socket = context?.socket ?? findSocket(way.dataDirectories);
  if (await answers(socket)) return await openSocket(socket, undefined, way);
  throw new OperationError({ code: "agent-not-running", socket });
}

function findSocket(directories: readonly string[]): string {
  const sockets = directories.map((directory) => join(directory, "shoal.sock"));
  return sockets.find((socket) => existsSync(socket)) ?? sockets[0] ?? "";
}

async function openSocket(socket: string, mesh: MeshId | undefined, way: Way): Promise<Opened> {
  const { openClient } = await import("../api/client.ts");
  const sign = mesh === undefined ? undefined : { key: way.key(), mesh };
  return { client: await openClient({ unix: socket }, sign), address: socket };
}

/** Every peer that fails is named, when all do. */
async function openFirst(peers: readonly string[], way: Way): Promise<Opened> {
  const secret = fromBase64(way.context?.secret ?? "", 32);
  if (way.context === undefined || secret === undefined) {
    const detail = "needs a context that knows the mesh: `shoal context add NAME TOKEN`";
    throw new OperationError({ code: "argument-invalid", argument: "--peer", detail });
  }
  const problems: Problem[] = [];
  const { openClient } = await import("../api/client.ts");
  const { dialPeer } = await import("../api/dial.ts");
  const key = way.key();
  for (const address of peers) {
    try {
      const signal = AbortSignal.timeout(dialMsMax);
      const link = await dialPeer({ address, secret, key, signal });
      const client = await openClient({ link }, { key, mesh: way.context.mesh });
      return { client, address };
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      problems.push(...error.problems);
    }
  }
  throw new OperationError(problems);
}
