/**
 * Asking an agent for a route: signs the request, opens a stream for it, reads what comes. What
 * breaks on the way is a problem with the place where it broke. A door.
 */

import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { sha256 } from "../crdt/hash.ts";
import type { MeshId, TaskId } from "../model/ids.ts";
import { OperationError } from "../model/problem.ts";
import type { ExecOptions, ExecSession } from "../ports.ts";
import { signRequest } from "../trust/request.ts";
import type { PeerLink } from "./dial.ts";
import {
  ask,
  broken,
  foreign,
  type Reply,
  readJson,
  readLines,
  readProblems,
  refusal,
} from "./exchange.ts";
import { joinExec } from "./exec-session.ts";
import type { PersonKey } from "./person.ts";
import {
  type AnswerOf,
  type AnswerRoute,
  type LinesRoute,
  type RouteName,
  routes,
} from "./routes.ts";
import { renewal } from "./shapes.ts";

export type Way = { readonly unix: string } | { readonly link: PeerLink };
export type Signature = { readonly key: PersonKey; readonly mesh: MeshId };

/** A write is on disk in milliseconds; leaving tells the others first. */
const answerMsMax = 30_000;

/** The agent asks for a fresh signature: api/log-stream.ts says when. */
export class Renewed extends Error {
  override readonly name = "Renewed";
}

type Query = Readonly<Record<string, string>>;

export class Caller {
  readonly #way: Way;
  readonly #signature: Signature | undefined;
  readonly #closing = new AbortController();

  constructor(way: Way, signature: Signature | undefined) {
    this.#way = way;
    this.#signature = signature;
  }

  async answer<Name extends AnswerRoute>(
    name: Name,
    body?: unknown,
    query?: Query,
  ): Promise<AnswerOf<Name>> {
    try {
      const timeout = AbortSignal.timeout(answerMsMax);
      const signal = AbortSignal.any([timeout, this.#closing.signal]);
      const value = await readJson(await this.#content(name, body, query, signal));
      const result = routes[name].answer.safeParse(value);
      if (!result.success) throw foreign(`to ${name} is not what this version knows`);
      return result.data as AnswerOf<Name>;
    } catch (error) {
      throw broken(error, this.#address);
    }
  }

  /** Lines as they come, until the signal. Throws Renewed when the agent asks for that. */
  async *lines<Name extends LinesRoute>(
    name: Name,
    body: unknown,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerOf<Name>> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    try {
      const content = await this.#content(name, body, undefined, ended);
      for await (const value of readLines(content)) yield readLine(name, value);
    } catch (error) {
      if (error instanceof Renewed) throw error;
      if (!signal.aborted) throw broken(error, this.#address);
    }
  }

  async exec(task: TaskId, options: ExecOptions): Promise<ExecSession> {
    try {
      const { signal } = this.#closing;
      const reply = await this.#ask("exec", options, { task }, signal);
      if (reply.kind === "answer") throw await refusal(reply.status, reply.content);
      const session = joinExec(reply.stream, this.#address);
      signal.addEventListener("abort", session.kill);
      reply.stream.once("close", () => signal.removeEventListener("abort", session.kill));
      return session;
    } catch (error) {
      throw broken(error, this.#address);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if ("link" in this.#way) await this.#way.link.close();
  }

  get #address(): string {
    return "unix" in this.#way ? this.#way.unix : this.#way.link.peer;
  }

  async #content(
    name: RouteName,
    body: unknown,
    query: Query | undefined,
    signal: AbortSignal,
  ): Promise<Readable> {
    const reply = await this.#ask(name, body, query, signal);
    if (reply.kind === "upgraded") throw foreign("switches protocols unasked");
    if (reply.status === 200) return reply.content;
    throw await refusal(reply.status, reply.content);
  }

  async #ask(
    name: RouteName,
    value: unknown,
    query: Query | undefined,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { method, kind, bodyBytesMax } = routes[name];
    const search = query === undefined ? "" : `?${new URLSearchParams(query)}`;
    const path = `${routes[name].path}${search}`;
    const body = Buffer.from(value === undefined ? "" : JSON.stringify(value));
    if (body.length > bodyBytesMax) {
      throw new OperationError({ code: "request-too-large", bytesMax: bodyBytesMax });
    }
    const authorization = this.#sign(method, path, body);
    const stream = await this.#open(signal);
    const upgrade = kind === "session";
    const rest = { only: false, answerMsMax, upgrade, signal };
    return await ask(stream, { method, path, authorization, body, ...rest });
  }

  #sign(method: string, path: string, body: Uint8Array): string | undefined {
    if (this.#signature === undefined) return undefined;
    const { key, mesh } = this.#signature;
    const facts = { mesh, method, path, bodyHash: sha256(body) };
    const nonce = new Uint8Array(randomBytes(16));
    return `Shoal ${signRequest(facts, Date.now(), nonce, key)}`;
  }

  async #open(signal: AbortSignal): Promise<Duplex> {
    if ("unix" in this.#way) return await connectUnix(this.#way.unix);
    return await this.#way.link.open(signal);
  }
}

function readLine<Name extends LinesRoute>(name: Name, value: unknown): AnswerOf<Name> {
  const line = routes[name].answer.safeParse(value);
  if (line.success) return line.data as AnswerOf<Name>;
  const problems = readProblems(value);
  if (problems !== undefined) throw new OperationError(problems);
  if (renewal.safeParse(value).success) throw new Renewed();
  throw foreign(`to ${name} has a line that this version does not know`);
}

function connectUnix(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const isDead = error.code === "ENOENT" || error.code === "ECONNREFUSED";
      const detail = error.code === "EACCES" ? "it belongs to another user" : error.message;
      reject(
        new OperationError(
          isDead
            ? { code: "agent-not-running", socket: path }
            : { code: "peer-unreachable", address: path, detail },
          { cause: error },
        ),
      );
    });
  });
}
