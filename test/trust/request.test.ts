import assert from "node:assert/strict";
import { test } from "node:test";
import { toString as toText } from "uint8arrays/to-string";
import { sha256 } from "../../crdt/hash.ts";
import { seal } from "../../crdt/signed.ts";
import { verify } from "../../trust/identity.ts";
import {
  type RequestFacts,
  requestWindowMs,
  signRequest,
  verifyRequest,
} from "../../trust/request.ts";
import { dice } from "../crdt/bytes.ts";
import { key } from "./story.ts";

const ada = key("ada");
const now = 1_700_000_000_000;
const body = new TextEncoder().encode("{}");
const facts: RequestFacts = {
  mesh: "m".repeat(64),
  method: "POST",
  path: "/v1/write?wait=true",
  bodyHash: sha256(body),
};
const nonce = new Uint8Array(16).fill(9);
const token = signRequest(facts, now, nonce, ada);
const check = (text: string, expected = facts, atMs = now) =>
  verifyRequest(text, expected, atMs, verify);
const codeOf = (outcome: ReturnType<typeof check>) => ("code" in outcome ? outcome.code : "good");

test("a signed request is its signer's word, with the nonce that tells a replay", () => {
  assert.deepEqual(check(token), { principal: ada.id, nonce: "09".repeat(16) });
});

test("the same token again has the same nonce, another signing has its own", () => {
  assert.deepEqual(check(token, facts, now + 5), check(token));
  const other = signRequest(facts, now, new Uint8Array(16).fill(8), ada);
  assert.notDeepEqual(check(other), check(token));
});

const tampered: readonly [what: string, changed: Partial<RequestFacts>, code: string][] = [
  ["another mesh", { mesh: "n".repeat(64) }, "mesh-mismatch"],
  ["another method", { method: "GET" }, "signature-invalid"],
  ["another path", { path: "/v1/write" }, "signature-invalid"],
  ["another query", { path: "/v1/write?wait=false" }, "signature-invalid"],
  ["another body", { bodyHash: sha256(new TextEncoder().encode("{ }")) }, "signature-invalid"],
];

for (const [what, changed, code] of tampered) {
  test(`a token is not good for ${what}`, () => {
    assert.equal(codeOf(check(token, { ...facts, ...changed })), code);
  });
}

const times: readonly [offsetMs: number, code: string][] = [
  [0, "good"],
  [requestWindowMs, "good"],
  [-requestWindowMs, "good"],
  [requestWindowMs + 1, "request-expired"],
  [-requestWindowMs - 1, "request-expired"],
];

for (const [offsetMs, code] of times) {
  test(`a token that is ${offsetMs} ms old is ${code}`, () => {
    assert.equal(codeOf(check(token, facts, now + offsetMs)), code);
  });
}

const signed = (payload: unknown, context = "shoal/request/1") =>
  toText(seal(ada, context, payload), "base64url");
const full = { ...facts, atMs: now, nonce };

test("the table of odd tokens is about what it says: the same payload in order is good", () => {
  assert.equal(codeOf(check(signed(full))), "good");
});

const odd: readonly [what: string, token: string, code: string][] = [
  ["nothing", "", "signature-invalid"],
  ["no base64", "a b", "signature-invalid"],
  ["a single letter", "A", "signature-invalid"],
  ["far too long", "A".repeat(10_000), "signature-invalid"],
  ["cut short", token.slice(0, -7), "signature-invalid"],
  ["of another context", signed(full, "shoal/fact/1"), "signature-invalid"],
  ["a list", signed([full]), "signature-invalid"],
  ["without a nonce", signed({ ...full, nonce: null }), "signature-invalid"],
  ["with a short nonce", signed({ ...full, nonce: new Uint8Array(8) }), "signature-invalid"],
  ["with a time that is none", signed({ ...full, atMs: "now" }), "signature-invalid"],
  ["with a body hash that is text", signed({ ...full, bodyHash: "x" }), "signature-invalid"],
  ["for no mesh", signed({ ...full, mesh: null }), "mesh-mismatch"],
  [
    "for a mesh that is an object",
    signed({ ...full, mesh: { toString: 1, valueOf: 1 } }),
    "mesh-mismatch",
  ],
  [
    "for a mesh that is a list of such",
    signed({ ...full, mesh: [{ toString: 1 }] }),
    "mesh-mismatch",
  ],
];

for (const [what, text, code] of odd) {
  test(`a token ${what} is refused and throws nothing`, () => {
    assert.equal(codeOf(check(text)), code);
  });
}

test("of thousands of damaged tokens none is good for anything else, and none throws", () => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const throwDice = dice(4);
  for (let round = 0; round < 20_000; round++) {
    const at = throwDice(token.length);
    const damaged = token.slice(0, at) + letters[throwDice(64)] + token.slice(at + throwDice(3));
    const outcome = check(damaged);
    // The last letter has bits that mean nothing: another spelling, the same word.
    if (!("code" in outcome)) assert.deepEqual(outcome, check(token));
  }
});
