/**
 * One HTTP exchange over a byte stream, from the asking side: the person's, or a node's that
 * passes a person's request on. A door.
 */

import { type IncomingMessage, request } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { OperationError, type Problem } from "../model/problem.ts";
import { sessionProtocol } from "./routes.ts";
import { problemsAnswer } from "./shapes.ts";

export type Question = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** The `authorization` header. */
  readonly authorization: string | undefined;
  /** Asked on behalf of a person by another node: it is not to be passed on again. */
  readonly only: boolean;
  readonly body: Uint8Array;
  readonly upgrade: boolean;
  /** Until the head of the answer is here; `signal` is good for the whole answer. */
  readonly answerMsMax: number;
  readonly signal: AbortSignal;
};

export type Reply =
  | { readonly kind: "answer"; readonly status: number; readonly content: IncomingMessage }
  | { readonly kind: "upgraded"; readonly stream: Duplex };

/** The header that says so. */
export const onlyHeader = "x-shoal-only";
export const sessionBodyHeader = "x-shoal-body";

/** The largest view there is: a thousand nodes, ten thousand tasks. */
const answerBytesMax = 64 * 1024 * 1024;
/** Engines split lines long before. */
const lineCharactersMax = 4 * 1024 * 1024;

/** Rejects with what went wrong on the stream; the stream is gone then. */
export function ask(stream: Duplex, question: Question): Promise<Reply> {
  const { method, path, body, upgrade, answerMsMax, signal } = question;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      createConnection: () => stream,
      method,
      path,
      headers: headersOf(question),
      signal,
    });
    const timer = setTimeout(() => {
      const detail = `${method} ${path.split("?", 1)[0]} was not answered`;
      outgoing.destroy(new OperationError({ code: "request-timeout", detail }));
    }, answerMsMax);
    // Stays for the whole exchange: what breaks after the answer's head is the reader's to see.
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.once("response", (content) => {
      clearTimeout(timer);
      resolve({ kind: "answer", status: content.statusCode ?? 0, content });
    });
    outgoing.once("upgrade", (_response, upgraded, head) => {
      clearTimeout(timer);
      upgraded.on("error", () => undefined);
      if (head.length > 0) upgraded.unshift(head);
      resolve({ kind: "upgraded", stream: upgraded });
    });
    outgoing.end(upgrade ? undefined : body);
  });
}

function headersOf({ method, authorization, only, body, upgrade }: Question) {
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(only ? { [onlyHeader]: "local" } : {}),
    ...(method === "GET" || upgrade ? {} : { "content-type": "application/json" }),
    ...(method === "GET" ? {} : { "content-length": upgrade ? 0 : body.length }),
    ...(upgrade
      ? {
          connection: "Upgrade",
          upgrade: sessionProtocol,
          [sessionBodyHeader]: Buffer.from(body).toString("base64url"),
        }
      : {}),
  };
}

/** Of an answer in one piece. Throws `request-invalid` when it is none of ours. */
export async function readJson(content: Readable): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw foreign("is larger than any view");
    chunks.push(chunk);
  }
  return parse(Buffer.concat(chunks).toString("utf8"));
}

/** Of a stream of lines; spaces that only show that the other side lives are left out. */
export async function* readLines(content: Readable): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of content as AsyncIterable<Buffer>) {
    const text = decoder.decode(chunk, { stream: true });
    if (!text.includes("\n")) {
      // Spaces alone would pile up for as long as nothing happens.
      rest = rest === "" ? text.trimStart() : rest + text;
      if (rest.length > lineCharactersMax) throw foreign("has a line without end");
      continue;
    }
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() !== "") yield parse(line);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw foreign("is not JSON");
  }
}

/** What a refusal says; a stream's line may be one, too. */
export function readProblems(value: unknown): readonly Problem[] | undefined {
  const result = problemsAnswer.safeParse(value);
  return result.success ? result.data : undefined;
}

/** The error of an answer that is a refusal. */
export async function refusal(status: number, content: Readable): Promise<OperationError> {
  const problems = readProblems(await readJson(content));
  return problems === undefined
    ? foreign(`has status ${status} and no problem`)
    : new OperationError(problems);
}

export function foreign(what: string): OperationError {
  return new OperationError({ code: "request-invalid", detail: `the answer ${what}` });
}

/** Whatever broke, as a problem with the place where it did; a bug stays what it is. */
export function broken(error: unknown, address: string): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  // An abort carries its reason.
  const reason = error.name === "AbortError" ? error.cause : error;
  if (reason instanceof OperationError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") {
    const detail = `${address} did not answer`;
    return new OperationError({ code: "request-timeout", detail });
  }
  const isBug = error instanceof TypeError || error instanceof RangeError;
  if (isBug && !("code" in error)) return error;
  const problem: Problem = { code: "peer-unreachable", address, detail: error.message };
  return new OperationError(problem, { cause: error });
}
