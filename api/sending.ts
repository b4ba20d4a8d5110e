/** Writing answers, streams of lines and refusals to clients that may be slow or gone. A door. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { OperationError } from "../model/problem.ts";
import type { Answer, PlainAnswer } from "./answers.ts";
import type { Limits } from "./limits.ts";
import { writePaced } from "./paced-write.ts";
import { sessionProtocol } from "./routes.ts";

/** A client whose body was not read needs a moment to read why, ms. */
const lingerMs = 1_000;

export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body }: PlainAnswer,
): Promise<void> {
  if (response.headersSent) return void response.destroy();
  const bytes = Buffer.from(JSON.stringify(body));
  if (!request.complete) {
    // The rest of the body is thrown away, for a moment only.
    response.shouldKeepAlive = false;
    request.resume();
    const timer = setTimeout(() => request.destroy(), lingerMs);
    request.once("close", () => clearTimeout(timer));
  }
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": bytes.length,
  });
  response.end(bytes);
}

/** One JSON value a line. Problems in the middle are a last line of their own. */
export async function sendLines(
  response: ServerResponse,
  lines: AsyncIterable<unknown>,
  { heartbeatMs }: Pick<Limits, "heartbeatMs">,
): Promise<void> {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.flushHeaders();
  // A space between two lines of JSON means nothing to a reader.
  const beat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(" ");
  }, heartbeatMs);
  try {
    for await (const line of lines) {
      await writePaced(response, `${JSON.stringify(line)}\n`);
      if (response.destroyed) break;
    }
    response.end();
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    response.end(`${JSON.stringify({ problems: error.problems })}\n`);
  } finally {
    clearInterval(beat);
  }
}

export function acceptSession(stream: Duplex): void {
  const head = ["HTTP/1.1 101 Switching Protocols", "connection: Upgrade"];
  stream.write([...head, `upgrade: ${sessionProtocol}`, "", ""].join("\r\n"));
}

/** Where there is no response object to write with. */
export function refuseRaw(stream: Duplex, answer: Answer): void {
  if (stream.destroyed || !stream.writable || answer.kind !== "answer") {
    return void stream.destroy();
  }
  const body = JSON.stringify(answer.body);
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? "Refused"}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  const timer = setTimeout(() => stream.destroy(), lingerMs);
  stream.once("close", () => clearTimeout(timer));
  stream.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  stream.resume();
}
