/**
 * How a machine or a person that holds an invite gets in: it dials a peer with the invite's own
 * key, sends its wish, and is answered with every fact of the trust log, its own admission among
 * them. A door; what an invite is good for, trust/invite.ts knows.
 */

import { addAbortSignal, type Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { pipe } from "it-pipe";
import { decode, encode } from "../crdt/codec.ts";
import { isRecord } from "../crdt/signed.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import { type Identity, identityFromSeed } from "../trust/identity.ts";
import { type InviteToken, requestAdmission } from "../trust/invite.ts";
import { type Answer, readAnswer, weigh, writeAnswer } from "./join-answer.ts";
import { protocols, type Streams } from "./streams.ts";

/** A wish with two keys and a name is about 500 bytes. */
const requestBytesMax = 8 * 1024;
/** 600 bytes a fact, for tens of thousands. */
const answerBytesMax = 16 * 1024 * 1024;
/** For the whole of one exchange, ms. */
const exchangeMsMax = 10_000;
/** Judged at one time; whoever comes then is told to come again. */
const judgedAtOnceMax = 32;

export type Admission = {
  readonly facts: readonly Uint8Array[];
  /** The address that worked. */
  readonly peer: string;
};

export type AdmissionWish = {
  readonly token: InviteToken;
  /** The new key. */
  readonly subject: Identity;
  /** For people. */
  readonly name: string;
  readonly signal?: AbortSignal;
};

/**
 * Asks each peer of the token in turn until one admits. Rejects with the problem that says most, or
 * with the signal's reason.
 */
export async function askAdmission(wish: AdmissionWish): Promise<Admission> {
  const problems: Problem[] = [];
  for (const address of wish.token.addresses) {
    try {
      const answer = await askPeer(address, wish);
      if (answer.kind === "admitted") return { facts: answer.facts, peer: address };
      problems.push(answer.problem);
    } catch (error) {
      wish.signal?.throwIfAborted();
      if (!(error instanceof OperationError)) throw error;
      problems.push(...error.problems);
    }
  }
  throw new OperationError(weigh(problems, wish.token.name));
}

async function askPeer(
  address: string,
  { token, subject, name, signal }: AdmissionWish,
): Promise<Answer> {
  const { dialPeer } = await import("./dial.ts");
  const identity = identityFromSeed(token.inviteSeed);
  const cancel = signal === undefined ? {} : { signal };
  const link = await dialPeer({ address, secret: token.secret, identity, ...cancel });
  const late = AbortSignal.timeout(exchangeMsMax);
  try {
    const stream = await link.open(protocols.join, signal);
    addAbortSignal(signal === undefined ? late : AbortSignal.any([late, signal]), stream);
    const request = requestAdmission(token, subject, name);
    const bytes = await pipe([request], through(stream), atMost(answerBytesMax));
    const answer = bytes === undefined ? undefined : readAnswer(decode(bytes, answerBytesMax));
    if (answer !== undefined) return answer;
    throw new OperationError({ code: "peer-unreachable", address, detail: "it answers nonsense" });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof OperationError) throw error;
    const detail = late.aborted ? "it does not answer" : "it broke off";
    throw new OperationError({ code: "peer-unreachable", address, detail }, { cause: error });
  } finally {
    await link.close();
  }
}

/**
 * The peer's side. `judge` gets what was sent, decoded and nothing more; when it throws, the stream
 * is reset.
 */
export function serveAdmissions(
  streams: Pick<Streams, "serve">,
  judge: (request: unknown) => Promise<Answer>,
): void {
  let judged = 0;
  streams.serve(protocols.join, ["invite"], (stream) => {
    judged += 1;
    const isTooMany = judged > judgedAtOnceMax;
    const answer = isTooMany ? async () => tooMany : judge;
    serveOne(stream, answer)
      .catch(() => stream.destroy())
      .finally(() => {
        judged -= 1;
      });
  });
}

const tooMany: Answer = {
  kind: "refused",
  problem: { code: "overloaded", detail: "many are joining: try again in a moment" },
};

async function serveOne(
  stream: Duplex,
  judge: (request: unknown) => Promise<Answer>,
): Promise<void> {
  addAbortSignal(AbortSignal.timeout(exchangeMsMax), stream);
  const bytes = await atMost(requestBytesMax)(received(stream));
  if (bytes === undefined) throw new Error("a request without end");
  const request = decode(bytes, requestBytesMax);
  const answer = isRecord(request) ? await judge(request) : malformed;
  stream.end(encode(writeAnswer(answer)));
  await finished(stream);
}

const malformed: Answer = {
  kind: "refused",
  problem: { code: "request-invalid", detail: "not a request for admission" },
};

/** Writes all that comes, ends its side, and goes on with what the other side sends. */
function through(stream: Duplex) {
  return async function* (source: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for (const chunk of source) stream.write(chunk);
    stream.end();
    yield* received(stream);
  };
}

/** Reading to the end leaves the other direction open, which a plain `for await` would destroy. */
function received(stream: Duplex): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false });
}

/** Everything up to the end; undefined when that is more than `bytesMax`. */
function atMost(bytesMax: number) {
  return async (source: AsyncIterable<Uint8Array>): Promise<Uint8Array | undefined> => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of source) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) return undefined;
    }
    return Buffer.concat(chunks);
  };
}
