/**
 * The API from a person's side: each route as a method, over an agent's Unix socket or over a link
 * to a peer. Every request is signed where there is a key, since any of them may have to be passed
 * on. A door.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { SpecDocument } from "../model/documents.ts";
import type { TaskId } from "../model/ids.ts";
import type { Plan } from "../model/plan.ts";
import { OperationError } from "../model/problem.ts";
import type { MeshEvent, MeshView } from "../model/view.ts";
import type { ExecOptions, ExecSession, TaskStats } from "../ports.ts";
import type { Draft } from "../trust/authoring.ts";
import { backupBytesMax } from "../trust/backup.ts";
import type { Writes } from "./backend.ts";
import { Caller, Renewed, type Signature, type Way } from "./caller.ts";
import { foreign } from "./exchange.ts";
import { LogCursors } from "./log-cursor.ts";
import { toBase64 } from "./person.ts";
import type { AnswerOf } from "./routes.ts";
import type { LogLine, LogRequest } from "./shapes.ts";

/** Of one task, one service, or one stack. */
export type LogQuery = {
  readonly task?: TaskId | undefined;
  readonly service?: string | undefined;
  readonly stack?: string | undefined;
  readonly follow: boolean;
  readonly tail?: number | undefined;
  readonly sinceMs?: number | undefined;
};

/** All reject with an OperationError for whatever is no bug. */
export interface Client {
  version(): Promise<AnswerOf<"version">>;
  view(): Promise<MeshView>;
  drafts(keys: readonly string[]): Promise<readonly Draft[]>;
  write(writes: Writes): Promise<AnswerOf<"write">>;
  plan(documents: readonly SpecDocument[], removals: readonly string[]): Promise<Plan>;
  trust(): Promise<readonly Uint8Array[]>;
  /** All of it, or a problem. */
  backup(): Promise<Writes>;
  /** Ends when it is read, left, or the signal says so. */
  logs(query: LogQuery, signal?: AbortSignal): AsyncIterable<LogLine>;
  events(signal?: AbortSignal): AsyncIterable<MeshEvent>;
  exec(task: TaskId, options: ExecOptions): Promise<ExecSession>;
  stats(task: TaskId): Promise<TaskStats>;
  /** The node that answers here. */
  leave(): Promise<void>;
  state(): Promise<Readonly<Record<string, number>>>;
  /** Ends whatever is under way, and the link. */
  close(): Promise<void>;
}

/** The largest mesh over a slow line, ms. */
const backupMsMax = 10 * 60_000;
/** So that no fault makes a follower of logs come again and again at once. */
const renewMs = 200;

export async function openClient(way: Way, signature?: Signature): Promise<Client> {
  const caller = new Caller(way, signature);
  const answer = caller.answer.bind(caller);
  return {
    version: () => answer("version"),
    view: () => answer("view"),
    drafts: (keys) => answer("drafts", { keys }),
    write: ({ revisions, facts }) =>
      answer("write", { revisions: revisions.map(toBase64), facts: facts.map(toBase64) }),
    plan: (documents, removals) => answer("plan", { documents, removals }),
    trust: async () => (await answer("trust")).facts,
    backup: () => readBackup(caller),
    logs: (query, signal) => endable((own) => followLogs(caller, query, own), signal),
    events: (signal) => endable((own) => caller.lines("events", undefined, own), signal),
    exec: (task, options) => caller.exec(task, options),
    stats: (task) => answer("stats", undefined, { task }),
    leave: async () => {
      const { node } = await answer("version");
      await answer("leave", { node });
    },
    state: () => answer("state"),
    close: () => caller.close(),
  };
}

async function readBackup(caller: Caller): Promise<Writes> {
  const facts: Uint8Array[] = [];
  const revisions: Uint8Array[] = [];
  let bytes = 0;
  for await (const line of caller.lines("backup", undefined, AbortSignal.timeout(backupMsMax))) {
    const { fact, revision, end } = line;
    if (fact !== undefined) facts.push(fact);
    if (revision !== undefined) revisions.push(revision);
    bytes += (fact?.length ?? 0) + (revision?.length ?? 0);
    if (bytes > backupBytesMax) throw foreign("is larger than any backup");
    const isWhole = end?.facts === facts.length && end.revisions === revisions.length;
    if (isWhole) return { facts, revisions };
  }
  throw new OperationError({ code: "request-timeout", detail: "the backup ended before its end" });
}

async function* followLogs(
  caller: Caller,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const cursors = new LogCursors();
  // From here on, new tasks are read from their start.
  const openedAtMs = Date.now();
  for (;;) {
    const request: LogRequest = { ...query, openedAtMs, after: cursors.positions() };
    try {
      for await (const line of caller.lines("logs", request, signal)) {
        cursors.note(line);
        yield line;
      }
      return;
    } catch (error) {
      if (!(error instanceof Renewed)) throw error;
    }
    await sleep(renewMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

/**
 * Made of a generator, which alone would not end while it waits for the next item: `return` and
 * the signal end the wait, and what was waited for.
 */
function endable<Item>(
  make: (signal: AbortSignal) => AsyncGenerator<Item>,
  outer: AbortSignal | undefined,
): AsyncIterableIterator<Item> {
  const own = new AbortController();
  const signal = outer === undefined ? own.signal : AbortSignal.any([own.signal, outer]);
  const items = make(signal);
  return {
    next: () => items.next(),
    return: async () => {
      own.abort();
      await items.return(undefined);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
