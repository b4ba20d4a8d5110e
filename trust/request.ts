/**
 * Signed API requests. A person's key signs method, path, body and time, so that a request stays
 * the person's own word however many nodes pass it on.
 */

import { toString as toText } from "uint8arrays/to-string";
import { equalBytes, hex } from "../crdt/hash.ts";
import { isRecord, isWhole, open, type Signer, seal, type Verify } from "../crdt/signed.ts";
import type { Problem } from "../model/problem.ts";

export type RequestFacts = {
  readonly mesh: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** SHA-256 of the body. */
  readonly bodyHash: Uint8Array;
};

const context = "shoal/request/1";
/** Clocks of people's machines are off by seconds, not minutes. */
export const requestWindowMs = 60_000;
const tokenCharactersMax = 2048;

export function signRequest(
  facts: RequestFacts,
  atMs: number,
  nonce: Uint8Array,
  signer: Signer,
): string {
  return toText(seal(signer, context, { ...facts, atMs, nonce }), "base64url");
}

/** `nonce` is hex: the caller remembers those of the last window to refuse replays. */
export function verifyRequest(
  token: string,
  expected: RequestFacts,
  nowMs: number,
  verify: Verify,
): { readonly principal: string; readonly nonce: string } | Problem {
  const invalid = (detail: string): Problem => ({ code: "signature-invalid", detail });
  if (token.length > tokenCharactersMax || !/^[A-Za-z0-9_-]+$/.test(token)) {
    return invalid("the request's token is malformed");
  }
  // Buffer is lenient where fromString throws: a token of odd length must not end the request.
  const bytes = new Uint8Array(Buffer.from(token, "base64url"));
  const opened = open(bytes, context, verify, tokenCharactersMax);
  if (opened === undefined || !isRecord(opened.payload)) {
    return invalid("the request's token is not signed by the key it names");
  }
  const { mesh, method, path, bodyHash, atMs, nonce } = opened.payload;
  if (mesh !== expected.mesh) {
    return {
      code: "mesh-mismatch",
      expected: expected.mesh,
      found: typeof mesh === "string" ? mesh : "",
    };
  }
  const fits = method === expected.method && path === expected.path;
  if (!fits || !(bodyHash instanceof Uint8Array) || !equalBytes(bodyHash, expected.bodyHash)) {
    return invalid("the request's token was made for another request");
  }
  if (!isWhole(atMs) || !(nonce instanceof Uint8Array) || nonce.length !== 16) {
    return invalid("the request's token is malformed");
  }
  const ageMs = Math.abs(nowMs - atMs);
  if (ageMs > requestWindowMs) return { code: "request-expired", ageMs };
  return { principal: opened.signer, nonce: hex(nonce) };
}
