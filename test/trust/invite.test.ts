import assert from "node:assert/strict";
import { test } from "node:test";
import { toString as toText } from "uint8arrays/to-string";
import { decode, encode } from "../../crdt/codec.ts";
import { seal } from "../../crdt/signed.ts";
import { identityFromSeed, verify } from "../../trust/identity.ts";
import {
  type InviteToken,
  judgeAdmission,
  mintInvite,
  parseInvite,
  requestAdmission,
} from "../../trust/invite.ts";
import type { TrustLog } from "../../trust/log.ts";
import { dice } from "../crdt/bytes.ts";
import { facts, founded, key, logOfBytes, mesh, standing } from "./story.ts";

const inviteSeed = new Uint8Array(32).fill(5);
const token: InviteToken = {
  mesh,
  name: "home",
  secret: new Uint8Array(32).fill(6),
  inviteSeed,
  addresses: [`/ip4/127.0.0.1/tcp/7946/p2p/${key("n0").id}`],
  role: "peer",
  expiresAtMs: 1000,
};

function invited(over: Partial<InviteToken> = {}, uses = 1, ...story: string[]) {
  const made = { ...token, ...over };
  const { fact, text } = mintInvite(made, uses, 100, key("ada"));
  const told = facts(story).map(({ bytes }) => bytes);
  return { log: logOfBytes([...founded.facts, ...told, fact]), text, made };
}

/** What a joiner sends, as it arrives at a peer's side. */
const ask = (name: string, made = token) => decode(requestAdmission(made, key(name), name));
const judge = (log: TrustLog, request: unknown, atMs = 500, by = "n0") =>
  judgeAdmission(request, log, key(by), atMs, verify);
function codeOf(verdict: ReturnType<typeof judge>): string {
  return verdict.kind === "refused" ? verdict.problem.code : verdict.kind;
}

test("a token is read as it was written, blanks around it or not", () => {
  const { text } = invited();
  assert.match(text, /^shoal1-[A-Za-z0-9_-]+$/);
  assert.deepEqual(parseInvite(text), token);
  assert.deepEqual(parseInvite(`  ${text}\n`), token);
});

const tokenOf = (value: unknown) => `shoal1-${toText(encode(value), "base64url")}`;
const malformed: readonly [what: string, text: string][] = [
  ["nothing", ""],
  ["another word", "hello"],
  ["the prefix alone", "shoal1-"],
  ["no base64", "shoal1-!"],
  ["one letter", "shoal1-A"],
  ["a token cut short", invited().text.slice(0, -9)],
  ["a token with something added", `${invited().text}AAAA`],
  ["two tokens", `${invited().text} ${invited().text}`],
  ["a token far too long", tokenOf({ ...token, name: "x".repeat(9000) })],
  ["a list", tokenOf([token])],
  ["no mesh", tokenOf({ ...token, mesh: 1 })],
  ["a mesh that is no hash", tokenOf({ ...token, mesh: "home" })],
  ["a short secret", tokenOf({ ...token, secret: new Uint8Array(31) })],
  ["a seed that is text", tokenOf({ ...token, inviteSeed: "x".repeat(32) })],
  ["addresses that are none", tokenOf({ ...token, addresses: [1] })],
  ["no addresses", tokenOf({ ...token, addresses: null })],
  ["a role of nobody", tokenOf({ ...token, role: "king" })],
  ["a role that every object has", tokenOf({ ...token, role: "constructor" })],
  ["an expiry that is no time", tokenOf({ ...token, expiresAtMs: "soon" })],
  ["an expiry after the end of dates", tokenOf({ ...token, expiresAtMs: 9e15 })],
];

for (const [what, text] of malformed) {
  test(`${what} is no invite`, () => {
    assert.equal((parseInvite(text) as { code?: string }).code, "invite-malformed");
  });
}

test("of thousands of mistyped tokens none throws", () => {
  const { text } = invited();
  const throwDice = dice(6);
  for (let round = 0; round < 10_000; round++) {
    const at = throwDice(text.length);
    const letter = String.fromCharCode(32 + throwDice(200));
    parseInvite(text.slice(0, at) + letter + text.slice(at + throwDice(3)));
  }
});

test("whoever holds the token is admitted, and everyone who hears the fact agrees", () => {
  const { log } = invited();
  const verdict = judge(log, ask("n1"));
  assert.equal(verdict.kind, "admitted");
  assert.ok(verdict.kind === "admitted" && verdict.subject === key("n1").id);
  assert.equal(log.add(verdict.fact), "added");
  assert.equal(standing(log.view()), "ada admin, n0 peer, n1 peer");
});

test("a verdict to admit is kept by the log, whatever the invite and whoever asks", () => {
  const stories = [
    "10 ada grants ben viewer",
    "11 ada admits n1 runner",
    "12 ada grants cleo operator",
  ];
  for (const role of ["peer", "runner", "admin", "operator", "viewer"] as const) {
    for (const who of ["ada", "ben", "cleo", "n0", "n1", "n7"]) {
      const { log, made } = invited({ role }, 1, ...stories);
      const verdict = judge(log, ask(who, made));
      if (verdict.kind === "refused") continue;
      log.add(verdict.fact);
      assert.equal(log.view().roleOf(key(who).id), role, `${who} as ${role}`);
    }
  }
});

const verdicts: readonly [what: string, code: string, verdict: () => ReturnType<typeof judge>][] = [
  ["in its last millisecond", "admitted", () => judge(invited().log, ask("n1"), 1000)],
  ["a millisecond late", "invite-expired", () => judge(invited().log, ask("n1"), 1001)],
  [
    "that this mesh never heard of",
    "invite-unknown",
    () => judge(logOfBytes(founded.facts), ask("n1")),
  ],
  [
    "made by who is no admin",
    "invite-unknown",
    () =>
      judge(logOfBytes([...founded.facts, mintInvite(token, 1, 100, key("ben")).fact]), ask("n1")),
  ],
  [
    "for another mesh",
    "request-invalid",
    () => judge(invited().log, ask("n1", { ...token, mesh: "0".repeat(64) as typeof mesh })),
  ],
  [
    "by a key that was revoked",
    "node-revoked",
    () => judge(invited({}, 1, "10 ada admits n1 peer", "20 ada revokes n1").log, ask("n1")),
  ],
  [
    "by an admin, to be a viewer",
    "request-invalid",
    () => judge(invited({ role: "viewer" }).log, ask("ada", { ...token, role: "viewer" })),
  ],
  ["by a person, to be a node", "request-invalid", () => judge(invited().log, ask("ada"))],
];

for (const [what, code, verdict] of verdicts) {
  test(`an invite used ${what}: ${code}`, () => {
    assert.equal(codeOf(verdict()), code);
  });
}

test("an invite that is used up lets in nobody else, but the same key again", () => {
  const { log } = invited();
  const first = judge(log, ask("n1"));
  assert.ok(first.kind === "admitted");
  log.add(first.fact);
  assert.equal(codeOf(judge(log, ask("n2"))), "invite-used-up");
  assert.equal(codeOf(judge(log, ask("n1"))), "admitted");
});

test("a revoked invite lets in nobody", () => {
  const { log } = invited();
  const invite = identityFromSeed(inviteSeed).id;
  log.add(revocationOf(invite));
  assert.equal(codeOf(judge(log, ask("n1"))), "invite-unknown");
});

function revocationOf(subject: string): Uint8Array {
  const fact = { kind: "revoke", subject, cutOffMs: 200 } as const;
  return seal(key("ada"), "shoal/fact/1", { mesh, timeMs: 200, fact });
}

const wish = (over: object) =>
  seal(key("n1"), "shoal/admission/1", {
    mesh,
    invite: identityFromSeed(inviteSeed).id,
    name: "n1",
    ...over,
  });

const requests: readonly [what: string, request: unknown][] = [
  ["nothing", undefined],
  ["a list", []],
  ["no wish", { inviteSeed, role: "peer" }],
  ["no seed", { wish: wish({}) }],
  ["another invite's seed", { wish: wish({}), inviteSeed: new Uint8Array(32) }],
  ["a short seed", { wish: wish({}), inviteSeed: inviteSeed.subarray(1) }],
  ["a wish to another mesh", { wish: wish({ mesh: "0".repeat(64) }), inviteSeed }],
  ["a wish without a name", { wish: wish({ name: null }), inviteSeed }],
  ["a name past all length", { wish: wish({ name: "n".repeat(257) }), inviteSeed }],
  ["a wish past its bound", { wish: wish({ more: "x".repeat(5000) }), inviteSeed }],
  ["a wish that is no wish", { wish: seal(key("n1"), "shoal/fact/1", {}), inviteSeed }],
  ["a wish that nobody signed", { wish: encode({}), inviteSeed }],
];

for (const [what, request] of requests) {
  test(`a request with ${what} is refused, and throws nothing`, () => {
    assert.equal(codeOf(judge(invited().log, request)), "request-invalid");
  });
}
