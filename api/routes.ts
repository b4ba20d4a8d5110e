/**
 * The contract: every request that an agent answers. The handler, the client, the limits of the
 * server and docs/api.md all follow this table.
 */

import type * as z from "zod";
import {
  backupLine,
  draftsAnswer,
  draftsRequest,
  eventLine,
  execRequest,
  leaveRequest,
  logLine,
  logRequest,
  nothing,
  ofTask,
  planAnswer,
  planRequest,
  stateAnswer,
  statsAnswer,
  trustAnswer,
  versionAnswer,
  viewAnswer,
  writeAnswer,
  writeRequest,
} from "./shapes.ts";

/** What a caller must be. Each role may do what those before it may. */
export type NeededRole = "none" | "viewer" | "operator" | "admin";

export type Route = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly role: NeededRole;
  /** `answer`: one JSON value. `lines`: JSON lines without end. `session`: an upgrade to frames. */
  readonly kind: "answer" | "lines" | "session";
  readonly query: z.ZodType;
  /** A session's body travels in a header: an upgrade has none. */
  readonly body: z.ZodType;
  /** 0 where there is no body. */
  readonly bodyBytesMax: number;
  /** Of a stream, one line. */
  readonly answer: z.ZodType;
  readonly summary: string;
};

const kib = 1024;
const mib = 1024 * kib;

/** The header that carries a session's body, base64url; all headers together are 64 KiB at most. */
export const sessionBytesMax = 32 * kib;
export const sessionProtocol = "shoal-exec/1";

export const routes = {
  version: {
    method: "GET",
    path: "/v1/version",
    role: "none",
    kind: "answer",
    query: nothing,
    body: nothing,
    bodyBytesMax: 0,
    answer: versionAnswer,
    summary: "version of the agent, its mesh and its node",
  },
  view: {
    method: "GET",
    path: "/v1/view",
    role: "viewer",
    kind: "answer",
    query: nothing,
    body: nothing,
    bodyBytesMax: 0,
    answer: viewAnswer,
    summary: "nodes, services, tasks and problems as this agent sees them",
  },
  drafts: {
    method: "POST",
    path: "/v1/drafts",
    role: "operator",
    kind: "answer",
    query: nothing,
    body: draftsRequest,
    bodyBytesMax: 512 * kib,
    answer: draftsAnswer,
    summary: "what a new revision of each key must say of generation, time and parents",
  },
  write: {
    method: "POST",
    path: "/v1/writes",
    role: "operator",
    kind: "answer",
    query: nothing,
    body: writeRequest,
    bodyBytesMax: 8 * mib,
    answer: writeAnswer,
    summary: "takes signed revisions and, from admins, signed facts: all or none",
  },
  plan: {
    method: "POST",
    path: "/v1/plan",
    role: "viewer",
    kind: "answer",
    query: nothing,
    body: planRequest,
    bodyBytesMax: 4 * mib,
    answer: planAnswer,
    summary: "what a write would change and where replicas would run",
  },
  trust: {
    method: "GET",
    path: "/v1/trust",
    role: "viewer",
    kind: "answer",
    query: nothing,
    body: nothing,
    bodyBytesMax: 0,
    answer: trustAnswer,
    summary: "the signed facts of the trust log",
  },
  backup: {
    method: "GET",
    path: "/v1/backup",
    role: "admin",
    kind: "lines",
    query: nothing,
    body: nothing,
    bodyBytesMax: 0,
    answer: backupLine,
    summary: "all signed facts and revisions, for `shoal backup`",
  },
  logs: {
    method: "POST",
    path: "/v1/logs",
    role: "operator",
    kind: "lines",
    query: nothing,
    body: logRequest,
    bodyBytesMax: 2 * mib,
    answer: logLine,
    summary: "what tasks wrote, on whichever nodes they run",
  },
  events: {
    method: "GET",
    path: "/v1/events",
    role: "viewer",
    kind: "lines",
    query: nothing,
    body: nothing,
    bodyBytesMax: 0,
    answer: eventLine,
    summary: "changes of the view as they happen",
  },
  exec: {
    method: "POST",
    path: "/v1/exec",
    role: "operator",
    kind: "session",
    query: ofTask,
    body: execRequest,
    bodyBytesMax: sessionBytesMax,
    answer: nothing,
    summary: "runs a command in a task, with its input and output",
  },
  stats: {
    method: "GET",
    path: "/v1/stats",
    role: "viewer",
    kind: "answer",
    query: ofTask,
    body: nothing,
    bodyBytesMax: 0,
    answer: statsAnswer,
    summary: "what a task uses of processor and memory",
  },
  leave: {
    method: "POST",
    path: "/v1/leave",
    role: "admin",
    kind: "answer",
    query: nothing,
    body: leaveRequest,
    bodyBytesMax: kib,
    answer: nothing,
    summary: "takes the node that the body names, which must be this one, out of its mesh",
  },
  state: {
    method: "GET",
    path: "/v1/state",
    role: "viewer",
    kind: "answer",
    query: nothing,
    body: nothing,
    bodyBytesMax: 0,
    answer: stateAnswer,
    summary: "counters of the agent and of its API, for whoever looks for a fault",
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;
type RoutesOfKind<Kind extends Route["kind"]> = {
  [Name in RouteName]: (typeof routes)[Name]["kind"] extends Kind ? Name : never;
}[RouteName];
export type AnswerRoute = RoutesOfKind<"answer">;
export type LinesRoute = RoutesOfKind<"lines">;

/** As the handler gets it, and as the client gives it. */
export type BodyOf<Name extends RouteName> = z.output<(typeof routes)[Name]["body"]>;
export type QueryOf<Name extends RouteName> = z.output<(typeof routes)[Name]["query"]>;
/** As the handler gives it, and as the client gets it. */
export type AnswerOf<Name extends RouteName> = z.output<(typeof routes)[Name]["answer"]>;

const byPath = new Map<string, RouteName>(
  Object.entries(routes).map(([name, { method, path }]) => [
    `${method} ${path}`,
    name as RouteName,
  ]),
);

/** `target` may have a query. Undefined for whatever the table does not have. */
export function findRoute(method: string, target: string): RouteName | undefined {
  const [path] = target.split("?", 1);
  return byPath.get(`${method} ${path}`);
}
