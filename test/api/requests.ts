/** Requests as tests make them: signed by whom, when, for what. */

import { randomBytes } from "node:crypto";
import type { PlainAnswer } from "../../api/answers.ts";
import type { Origin } from "../../api/authority.ts";
import type { ApiRequest, Handler } from "../../api/handler.ts";
import { sha256 } from "../../crdt/hash.ts";
import type { Problem } from "../../model/problem.ts";
import type { Identity } from "../../trust/identity.ts";
import { signRequest } from "../../trust/request.ts";
import { mesh, nodeKeys } from "./fake-backend.ts";

export type Made = {
  readonly method?: string;
  readonly path?: string;
  readonly body?: unknown;
  /** As they are, in place of `body`. */
  readonly bytes?: Uint8Array;
  readonly by?: Identity | undefined;
  readonly atMs?: number;
  readonly origin?: Origin;
  readonly only?: boolean;
  readonly signal?: AbortSignal;
  readonly mesh?: string;
};

export const local: Origin = { kind: "local" };
export const overLink: Origin = { kind: "link", from: nodeKeys[1]?.id ?? "" };

export function authorization(made: Made, nowMs: number): string | undefined {
  if (made.by === undefined) return undefined;
  const { method = "GET", path = "/v1/view", atMs = nowMs } = made;
  const facts = { mesh: made.mesh ?? mesh, method, path, bodyHash: sha256(bodyOf(made)) };
  return `Shoal ${signRequest(facts, atMs, new Uint8Array(randomBytes(16)), made.by)}`;
}

export function bodyOf({ body, bytes }: Made): Uint8Array {
  if (bytes !== undefined) return bytes;
  return new TextEncoder().encode(body === undefined ? "" : JSON.stringify(body));
}

export function make(made: Made, nowMs = Date.now()): ApiRequest {
  return {
    origin: made.origin ?? overLink,
    method: made.method ?? "GET",
    path: made.path ?? "/v1/view",
    authorization: authorization(made, nowMs),
    only: made.only ?? false,
    body: bodyOf(made),
    signal: made.signal ?? new AbortController().signal,
  };
}

export type Told = {
  readonly status: number;
  readonly body: unknown;
  readonly codes: readonly string[];
};

/** Of what is answered in one piece. */
export async function told(handler: Handler, request: ApiRequest): Promise<Told> {
  const answer = await handler.handle(request);
  if (answer.kind !== "answer") return { status: 200, body: answer, codes: [] };
  return toldOf(answer);
}

export function toldOf({ status, body }: PlainAnswer): Told {
  const { problems } = body as { problems?: readonly Problem[] };
  return { status, body, codes: status === 200 ? [] : (problems ?? []).map(({ code }) => code) };
}
