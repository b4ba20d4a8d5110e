/** Reading the bodies of requests, each and all together within bounds. A door. */

import type { IncomingMessage } from "node:http";
import { OperationError } from "../model/problem.ts";
import { sessionBodyHeader } from "./exchange.ts";
import { sessionBytesMax } from "./routes.ts";

export class Bodies {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Held at this moment. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The body counts until `answer` has been given. */
  async use<Result>(
    request: IncomingMessage,
    bytesMax: number,
    answer: (body: Uint8Array) => Promise<Result>,
  ): Promise<Result> {
    let held = 0;
    const hold = (bytes: number): void => {
      held += bytes;
      this.#bytes += bytes;
      if (held > bytesMax) throw new OperationError({ code: "request-too-large", bytesMax });
      if (this.#bytes > this.#bytesMax) {
        throw new OperationError({ code: "overloaded", detail: "too many large requests at once" });
      }
    };
    try {
      return await answer(await read(request, bytesMax, hold));
    } finally {
      this.#bytes -= held;
    }
  }
}

async function read(
  request: IncomingMessage,
  bytesMax: number,
  hold: (bytes: number) => void,
): Promise<Uint8Array> {
  // What says that it is too large is not read at all.
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) {
    throw new OperationError({ code: "request-too-large", bytesMax });
  }
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      hold((chunk as Buffer).length);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof OperationError) throw error;
    const detail = "the body ended before its end";
    throw new OperationError({ code: "request-invalid", detail }, { cause: error });
  }
  return Buffer.concat(chunks);
}

/** A session's body is in a header, since the upgrade comes before any body. */
export function readSessionBody({ headers }: IncomingMessage): Uint8Array {
  const text = headers[sessionBodyHeader];
  if (typeof text !== "string") return new Uint8Array(0);
  const bytes = Buffer.from(text, "base64url");
  // Buffer reads whatever it can: a body that is not what was signed is refused for that.
  return bytes.length <= sessionBytesMax ? bytes : new Uint8Array(0);
}
