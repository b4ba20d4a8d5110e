/** What each route answers: the agent asked, or another node asked in the person's name. A door. */

import type { Duplex } from "node:stream";
import type { TaskId } from "../model/ids.ts";
import { OperationError } from "../model/problem.ts";
import type { MeshEvent, MeshView } from "../model/view.ts";
import type { ExecOptions } from "../ports.ts";
import { type Asked, type Caller, forbid } from "./authority.ts";
import type { Backend, Writes } from "./backend.ts";
import { diffViews } from "./events.ts";
import { foreign, readJson, refusal } from "./exchange.ts";
import { serveExec } from "./exec-session.ts";
import { splice } from "./hang-up.ts";
import { readLogs } from "./log-stream.ts";
import { makeElsewhere, passOn } from "./pass-on.ts";
import { readDocuments } from "./reading.ts";
import type { BodyOf, QueryOf, RouteName } from "./routes.ts";
import type { ExecRequest } from "./shapes.ts";
import type { ViewFeed } from "./view-feed.ts";

export type PlainAnswer = {
  readonly kind: "answer";
  readonly status: number;
  readonly body: unknown;
};

export type Answer =
  | PlainAnswer
  | { readonly kind: "lines"; readonly lines: AsyncIterable<unknown> }
  | {
      readonly kind: "session";
      /** After the upgrade; resolves at the session's end. */
      run(stream: Duplex): Promise<void>;
      /** Instead of `run`, when the caller has gone meanwhile. */
      abandon(): void;
    };

export type Call<Name extends RouteName> = {
  readonly asked: Asked;
  /** Passed on by another node: not to be passed on again. */
  readonly only: boolean;
  readonly caller: Caller;
  readonly query: QueryOf<Name>;
  readonly body: BodyOf<Name>;
  /** The caller has gone, has lost its role, or this node stops. */
  readonly signal: AbortSignal;
};

export type Answers = {
  readonly [Name in RouteName]: (call: Call<Name>) => Answer | Promise<Answer>;
};

export type Counters = () => Readonly<Record<string, number>>;

export function makeAnswers(backend: Backend, feed: ViewFeed, counters: Counters): Answers {
  const { mesh, self, version } = backend;
  return {
    version: () => ok({ version, mesh, node: self }),
    view: () => ok(backend.view()),
    drafts: ({ body }) => ok({ drafts: backend.drafts(body.keys) }),
    write: (call) => write(call, backend),
    plan: ({ body }) => ok(backend.plan(readDocuments(body.documents), body.removals)),
    trust: () => {
      const facts = backend.trustFacts().map((fact) => Buffer.from(fact).toString("base64"));
      return ok({ facts });
    },
    backup: ({ signal }) => ({ kind: "lines", lines: tellBackup(backend.backup(), signal) }),
    logs: ({ asked, only, body, signal }) => {
      const elsewhere = only ? undefined : makeElsewhere(asked, backend);
      return { kind: "lines", lines: readLogs(body, { backend, feed, elsewhere }, signal) };
    },
    events: ({ signal }) => {
      // Taken now, so that nothing is missed between the answer's head and its first line.
      return { kind: "lines", lines: followEvents(feed.now(), backend, feed, signal) };
    },
    exec: (call) => exec(call, backend),
    stats: (call) => stats(call, backend),
    leave: async ({ body }) => {
      if (body.node !== self) {
        const detail = `this is node ${self}, not ${body.node}`;
        throw new OperationError({ code: "request-invalid", detail });
      }
      await backend.leave();
      return ok({});
    },
    state: () => ok({ ...backend.counters(), ...counters() }),
  };
}

function ok(body: unknown): Answer {
  return { kind: "answer", status: 200, body };
}

/** Facts change who may do what; the node judges the signature under each as well. */
async function write({ body, caller }: Call<"write">, backend: Backend): Promise<Answer> {
  const { revisions, facts } = body;
  const problem = facts.length > 0 ? forbid(caller, "admin", backend.trustView()) : undefined;
  if (problem !== undefined) throw new OperationError(problem);
  const written = await backend.write({ revisions, facts });
  if (written.problems.length > 0) throw new OperationError(written.problems);
  return ok({ revisions: written.revisions, peers: written.peers });
}

/** Encoded line by line, so that a large mesh is not in memory twice. */
async function* tellBackup(
  { facts, revisions }: Writes,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  for (const fact of facts) yield { fact: Buffer.from(fact).toString("base64") };
  for (const revision of revisions) {
    // Whoever may no longer ask is not told the rest; why is the handler's to say.
    if (signal.aborted) return;
    yield { revision: Buffer.from(revision).toString("base64") };
  }
  yield { end: { facts: facts.length, revisions: revisions.length } };
}

async function* followEvents(
  first: MeshView,
  backend: Backend,
  feed: ViewFeed,
  signal: AbortSignal,
): AsyncGenerator<MeshEvent> {
  let before = first;
  for await (const view of feed.changes(signal)) {
    yield* diffViews(before, view, backend.wallMs());
    before = view;
  }
}

async function exec(call: Call<"exec">, backend: Backend): Promise<Answer> {
  const { asked, query, body, signal } = call;
  const node = nodeOf(query.task, call, backend);
  if (node === backend.self) {
    const session = await backend.sessions.exec(query.task, present(body));
    return {
      kind: "session",
      run: async (stream) => await serveExec(stream, session),
      abandon: () => session.kill(),
    };
  }
  const reply = await passOn(asked, node, backend, signal, true);
  if (reply.kind === "answer") throw await refusal(reply.status, reply.content);
  const { stream: far } = reply;
  return { kind: "session", run: (near) => splice(near, far), abandon: () => far.destroy() };
}

async function stats(call: Call<"stats">, backend: Backend): Promise<Answer> {
  const { asked, query, signal } = call;
  const node = nodeOf(query.task, call, backend);
  if (node === backend.self) return ok(await backend.sessions.stats(query.task));
  const reply = await passOn(asked, node, backend, signal);
  if (reply.kind === "upgraded") throw foreign("switches protocols unasked");
  if (reply.status !== 200) throw await refusal(reply.status, reply.content);
  return ok(await readJson(reply.content));
}

/** Of a request that was passed on, only this node. */
function nodeOf(task: TaskId, { only }: { readonly only: boolean }, backend: Backend) {
  const node = backend.nodeOf(task);
  if (node === undefined || (only && node !== backend.self)) {
    throw new OperationError({ code: "task-unknown", task });
  }
  return node;
}

function present({ user, workingDir, ...options }: ExecRequest): ExecOptions {
  return {
    ...options,
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
  };
}
