/**
 * The API without its socket: a request in, an answer out. Finds the route, checks who asks and
 * whether they may, reads what they say, and only then asks the agent. A door.
 *
 * Invariants:
 * - Nothing is parsed for somebody who may not ask.
 * - Whoever loses a role loses the streams and sessions opened with it as soon as this node knows.
 * - Expected failures become problems; anything else is thrown, and is a bug.
 */

import type { Duplex } from "node:stream";
import { OperationError, type Problem } from "../model/problem.ts";
import { type Answer, type Answers, type Call, makeAnswers, type PlainAnswer } from "./answers.ts";
import { type Asked, type Caller, forbid, identify } from "./authority.ts";
import type { Backend } from "./backend.ts";
import { Nonces } from "./nonces.ts";
import { readBody, readQuery } from "./reading.ts";
import { findRoute, type RouteName, routes } from "./routes.ts";
import { statusOf } from "./status.ts";
import { ViewFeed } from "./view-feed.ts";

export type ApiRequest = Asked & {
  /** A node passed it on: answer for this node alone. */
  readonly only: boolean;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
};

/** Counters of the API itself, as `state` shows them. */
type Counts = { requests: number; refused: number; unproven: number };

export class Handler {
  readonly #backend: Backend;
  readonly #answers: Answers;
  readonly #nonces = new Nonces();
  readonly #counts: Counts = { requests: 0, refused: 0, unproven: 0 };

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#answers = makeAnswers(backend, new ViewFeed(backend), () => this.counters());
  }

  counters(): Readonly<Record<string, number>> {
    const { requests, refused, unproven } = this.#counts;
    return {
      "api-requests": requests,
      "api-refused": refused,
      "api-unproven": unproven,
      "api-nonces": this.#nonces.size,
    };
  }

  /** Rejects only for a bug. */
  async handle(request: ApiRequest): Promise<Answer> {
    this.#counts.requests++;
    try {
      return await this.#answer(request);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      return this.refuse(error.problems);
    }
  }

  refuse(problems: readonly Problem[]): PlainAnswer {
    this.#counts.refused++;
    return { kind: "answer", status: statusOf(problems), body: { problems } };
  }

  async #answer(request: ApiRequest): Promise<Answer> {
    const { method, path } = request;
    const name = findRoute(method, path);
    if (name === undefined) throw unknownRoute(method, path);
    const caller = this.#admit(name, request);
    const signal = this.#guard(name, caller, request.signal);
    const { only } = request;
    const query = readQuery(name, path);
    const body = readBody(name, request.body);
    const call = { asked: request, only, caller, query, body, signal };
    // The table pairs each name with its own shapes; TypeScript cannot follow a name it
    // does not know.
    const answer = this.#answers[name] as (call: Call<RouteName>) => Answer | Promise<Answer>;
    return cutOff(await answer(call as unknown as Call<RouteName>), signal);
  }

  #admit(name: RouteName, request: ApiRequest): Caller {
    const { mesh } = this.#backend;
    const trust = this.#backend.trustView();
    const caller = identify(request, mesh, trust, this.#nonces, this.#backend.wallMs());
    if ("code" in caller) {
      this.#counts.unproven++;
      throw new OperationError(caller);
    }
    const problem = forbid(caller, routes[name].role, trust);
    if (problem !== undefined) throw new OperationError(problem);
    return caller;
  }

  /** The signal of the request, aborted as well when the caller may no longer do this. */
  #guard(name: RouteName, caller: Caller, signal: AbortSignal): AbortSignal {
    const { kind, role } = routes[name];
    // A signal that has fallen already tells nobody: there would be no unsubscribing.
    if (kind === "answer" || caller.origin.kind === "local" || signal.aborted) return signal;
    const guard = new AbortController();
    const unsubscribe = this.#backend.onView(() => {
      const problem = forbid(caller, role, this.#backend.trustView());
      if (problem !== undefined) guard.abort(new OperationError(problem));
    });
    const both = AbortSignal.any([signal, guard.signal]);
    both.addEventListener("abort", unsubscribe, { once: true });
    return both;
  }
}

/** Streams and sessions end with their signal; a reader of lines is told why. */
function cutOff(answer: Answer, signal: AbortSignal): Answer {
  switch (answer.kind) {
    case "answer":
      return answer;
    case "lines":
      return { kind: "lines", lines: tellEnd(answer.lines, signal) };
    case "session":
      return { ...answer, run: async (stream) => await runUntil(answer.run, stream, signal) };
  }
}

async function* tellEnd(
  lines: AsyncIterable<unknown>,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  yield* lines;
  if (signal.reason instanceof OperationError) throw signal.reason;
}

async function runUntil(
  run: (stream: Duplex) => Promise<void>,
  stream: Duplex,
  signal: AbortSignal,
): Promise<void> {
  const cut = (): void => void stream.destroy();
  signal.addEventListener("abort", cut);
  if (signal.aborted) cut();
  try {
    await run(stream);
  } finally {
    signal.removeEventListener("abort", cut);
  }
}

export function unknownRoute(method: string, path: string): OperationError {
  const shown = path.split("?", 1)[0]?.slice(0, 200) ?? "";
  return new OperationError({ code: "route-unknown", method: method.slice(0, 20), path: shown });
}
