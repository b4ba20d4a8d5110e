/**
 * The API's way in: HTTP/1.1 on a Unix socket and, through the same server, on streams that come
 * over links. There is no port. A door, and nothing but one: api/handler.ts answers.
 *
 * Whatever a client does, it costs a bounded amount: so many connections, so many of one peer, so
 * many requests at once on each, so much time for a head and a body, so many bytes of bodies.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { OperationError } from "../model/problem.ts";
import type { Answer, PlainAnswer } from "./answers.ts";
import type { Origin } from "./authority.ts";
import { Bodies, readSessionBody } from "./bodies.ts";
import { onlyHeader } from "./exchange.ts";
import { type ApiRequest, type Handler, unknownRoute } from "./handler.ts";
import { type Limits, limitsOfServer } from "./limits.ts";
import { findRoute, routes, sessionProtocol } from "./routes.ts";
import { acceptSession, refuseRaw, sendAnswer, sendLines } from "./sending.ts";
import { listenAt } from "./socket-file.ts";

export type ApiServerOptions = {
  readonly handler: Handler;
  /** Path of the Unix socket. */
  readonly socket: string;
  readonly limits?: Partial<Limits>;
  /** What was no expected failure. The client is told that it failed, and no more. */
  onBug(error: unknown): void;
};

type Connection = {
  readonly origin: Origin;
  /** Aborted when the client has gone, or when the agent stops: then with the reason. */
  readonly gone: AbortController;
  /** Requests that are not answered yet. */
  underWay: number;
};

export class ApiServer {
  readonly #handler: Handler;
  readonly #limits: Limits;
  readonly #onBug: (error: unknown) => void;
  readonly #server: Server;
  readonly #bodies: Bodies;
  readonly #connections = new Map<Duplex, Connection>();
  #isClosing = false;
  #dropped = 0;

  /** Resolves when the socket takes requests; it is there before anybody is told of it. */
  static async open(options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    await listenAt(options.socket, server.#server);
    server.#server.on("error", options.onBug);
    return server;
  }

  private constructor({ handler, limits, onBug }: ApiServerOptions) {
    this.#handler = handler;
    this.#limits = { ...limitsOfServer, ...limits };
    this.#onBug = onBug;
    this.#bodies = new Bodies(this.#limits.bodiesBytesMax);
    this.#server = this.#createServer();
  }

  /** A stream of the API's protocol over a link. `from` is the other side's peer id. */
  accept(stream: Duplex, from: string): void {
    const { connectionsMax, connectionsOfPeerMax } = this.#limits;
    const origins = [...this.#connections.values()].map(({ origin }) => origin);
    const links = origins.filter((origin) => origin.kind === "link");
    const ofPeer = links.filter((origin) => origin.from === from);
    const isFull = links.length >= connectionsMax || ofPeer.length >= connectionsOfPeerMax;
    if (isFull || this.#isClosing) {
      this.#dropped++;
      stream.on("error", () => undefined);
      stream.destroy();
      return;
    }
    this.#meet(stream, { kind: "link", from });
    this.#server.emit("connection", stream);
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "api-connections": this.#connections.size,
      "api-connections-dropped": this.#dropped,
      "api-body-bytes": this.#bodies.bytes,
    };
  }

  /** Ends streams with a word to their readers, lets short answers finish, then cuts off. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const stopping = new OperationError({ code: "overloaded", detail: "the agent is stopping" });
    for (const { gone } of this.#connections.values()) gone.abort(stopping);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const deadline = performance.now() + this.#limits.closeMs;
    this.#server.closeIdleConnections();
    while (this.#connections.size > 0 && performance.now() < deadline) await sleep(10);
    for (const stream of this.#connections.keys()) stream.destroy();
    await closed;
  }

  #createServer(): Server {
    const { connectionsMax, headMsMax, requestMsMax, idleMsMax, headBytesMax } = this.#limits;
    const server = createServer({
      maxHeaderSize: headBytesMax,
      headersTimeout: headMsMax,
      requestTimeout: requestMsMax,
      keepAliveTimeout: idleMsMax,
      connectionsCheckingInterval: Math.min(1_000, headMsMax),
      shouldUpgradeCallback: ({ method, url, headers }) =>
        headers.upgrade === sessionProtocol && isSession(method, url),
    });
    server.maxConnections = connectionsMax;
    server.maxHeadersCount = 64;
    server.on("drop", () => this.#dropped++);
    // Those of links were met before.
    server.on("connection", (stream: Duplex) => this.#meet(stream, { kind: "local" }));
    server.on("request", (request, response) => void this.#serve(request, response));
    server.on("upgrade", (request, stream, head) => void this.#upgrade(request, stream, head));
    server.on("clientError", (error: NodeJS.ErrnoException, stream) => {
      refuseRaw(stream, this.#handler.refuse([problemOfClient(error, headBytesMax)]));
    });
    return server;
  }

  #meet(stream: Duplex, origin: Origin): void {
    if (this.#connections.has(stream) || stream.destroyed) return;
    const gone = new AbortController();
    this.#connections.set(stream, { origin, gone, underWay: 0 });
    stream.on("error", () => undefined);
    stream.once("close", () => {
      this.#connections.delete(stream);
      gone.abort();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = this.#connections.get(request.socket);
    // What was read of a connection that is gone already is nobody's question.
    if (connection === undefined) return void response.destroy();
    const { gone, origin } = connection;
    const answered = new AbortController();
    connection.underWay++;
    response.on("error", () => undefined);
    response.once("close", () => {
      connection.underWay--;
      answered.abort();
    });
    // Over links each request has its own stream; nothing would time an idle one out.
    if (origin.kind === "link") response.shouldKeepAlive = false;
    const signal = AbortSignal.any([gone.signal, answered.signal]);
    try {
      if (connection.underWay > this.#limits.requestsOfConnectionMax) throw tooMany();
      const answer = await this.#ask(request, origin, signal);
      if (answer.kind === "lines") await sendLines(response, answer.lines, this.#limits);
      else if (answer.kind === "answer") await sendAnswer(request, response, answer);
      else answer.abandon();
    } catch (error) {
      await sendAnswer(request, response, this.#fail(error));
    }
  }

  async #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return void stream.destroy();
    if (head.length > 0) stream.unshift(head);
    const { origin, gone } = connection;
    try {
      const answer = await this.#handler.handle(
        toRequest(request, origin, readSessionBody(request), gone.signal),
      );
      if (answer.kind !== "session") return refuseRaw(stream, answer);
      if (gone.signal.aborted) return answer.abandon();
      acceptSession(stream);
      await answer.run(stream);
    } catch (error) {
      refuseRaw(stream, this.#fail(error));
    }
  }

  async #ask(request: IncomingMessage, origin: Origin, signal: AbortSignal): Promise<Answer> {
    const { method = "", url = "" } = request;
    const name = findRoute(method, url);
    if (name === undefined) throw unknownRoute(method, url);
    if (routes[name].kind === "session") {
      const detail = `${url.split("?", 1)[0]} needs an upgrade to ${sessionProtocol}`;
      throw new OperationError({ code: "request-invalid", detail });
    }
    return await this.#bodies.use(request, routes[name].bodyBytesMax, async (body) => {
      return await this.#handler.handle(toRequest(request, origin, body, signal));
    });
  }

  #fail(error: unknown): PlainAnswer {
    if (error instanceof OperationError) return this.#handler.refuse(error.problems);
    this.#onBug(error);
    const detail = "the agent failed at it: see its log";
    const body = { problems: [{ code: "request-invalid", detail }] };
    return { kind: "answer", status: 500, body };
  }
}

function isSession(method: string | undefined, url: string | undefined): boolean {
  const name = findRoute(method ?? "", url ?? "");
  return name !== undefined && routes[name].kind === "session";
}

function toRequest(
  request: IncomingMessage,
  origin: Origin,
  body: Uint8Array,
  signal: AbortSignal,
): ApiRequest {
  const { method = "", url = "", headers } = request;
  return {
    origin,
    method,
    path: url,
    authorization: headers.authorization,
    only: headers[onlyHeader] !== undefined,
    body,
    signal,
  };
}

function tooMany(): OperationError {
  return new OperationError({ code: "overloaded", detail: "too many requests on one connection" });
}

function problemOfClient({ code, message }: NodeJS.ErrnoException, headBytesMax: number) {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return { code: "request-too-large", bytesMax: headBytesMax } as const;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { code: "request-timeout", detail: "the request did not come" } as const;
    default:
      return { code: "request-invalid", detail: `not HTTP: ${message}` } as const;
  }
}
