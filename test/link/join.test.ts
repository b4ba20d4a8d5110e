import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { decode, encode } from "../../crdt/codec.ts";
import { dialPeer } from "../../link/dial.ts";
import { askAdmission, serveAdmissions } from "../../link/join.ts";
import { type Answer, readAnswer, weigh, writeAnswer } from "../../link/join-answer.ts";
import { protocols } from "../../link/streams.ts";
import type { MeshId, NodeId } from "../../model/ids.ts";
import { OperationError, type Problem } from "../../model/problem.ts";
import { createMesh } from "../../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";
import { type InviteToken, judgeAdmission, mintInvite, parseInvite } from "../../trust/invite.ts";
import { TrustLog } from "../../trust/log.ts";
import { until } from "../until.ts";
import {
  deadlineMs,
  fullAddress,
  meshSecret,
  newIdentity,
  openNode,
  type TestNode,
} from "./links.ts";

type Mesh = { readonly log: TrustLog; readonly node: TestNode; readonly admin: Identity };

/** A mesh of one, which admits by its real trust log. */
async function openMesh(t: TestContext): Promise<Mesh> {
  const admin = newIdentity();
  const node = await openNode(t);
  const genesis = { name: "test", founder: admin, admins: [admin.id], nodeName: "one" };
  const nonce = new Uint8Array(32);
  const { mesh, facts } = createMesh({ ...genesis, node: node.id, nonce, timeMs: Date.now() });
  const log = new TrustLog(mesh, verify);
  for (const fact of facts) assert.equal(log.add(fact), "added");
  node.link.admitGuests((id) => (log.view().invites.has(id) ? "invite" : undefined));
  serveAdmissions(node.link, async (request) => {
    const verdict = judgeAdmission(request, log, node.identity, Date.now(), verify);
    if (verdict.kind === "refused") return verdict;
    log.add(verdict.fact);
    return { kind: "admitted", facts: [...log.entries().values()] };
  });
  return { log, node, admin };
}

type Terms = { readonly uses?: number; readonly expiresInMs?: number; readonly isKnown?: boolean };

function invite({ log, node, admin }: Mesh, terms: Terms = {}): InviteToken {
  const token: InviteToken = {
    mesh: log.view().mesh,
    name: "test",
    secret: meshSecret,
    inviteSeed: new Uint8Array(randomBytes(32)),
    addresses: [fullAddress(node)],
    role: "peer",
    expiresAtMs: Date.now() + (terms.expiresInMs ?? 60_000),
  };
  const { fact, text } = mintInvite(token, terms.uses ?? 1, Date.now(), admin);
  if (terms.isKnown !== false) assert.equal(log.add(fact), "added");
  const parsed = parseInvite(text);
  assert.ok("secret" in parsed);
  return parsed;
}

test("who holds an invite is admitted, and gets every fact with its own admission", async (t) => {
  const mesh = await openMesh(t);
  const token = invite(mesh);
  const subject = newIdentity();
  const { facts, peer } = await askAdmission({ token, subject, name: "two" });
  assert.equal(peer, token.addresses[0]);
  const log = new TrustLog(token.mesh, verify);
  for (const fact of facts) assert.equal(log.add(fact), "added");
  assert.deepEqual([...log.view().nodes.keys()].sort(), [mesh.node.id, subject.id].sort());
  assert.equal(log.view().nodes.get(subject.id as NodeId)?.name, "two");
  await until(() => mesh.node.link.counts().connections === 0, deadlineMs, "the invite is gone");
});

const refusals: [name: string, terms: Terms, code: Problem["code"]][] = [
  ["expired", { expiresInMs: -1 }, "invite-expired"],
  ["used up", { uses: 0 }, "invite-used-up"],
  ["unknown to the mesh", { isKnown: false }, "invite-unknown"],
];

for (const [name, terms, code] of refusals) {
  test(`an invite that is ${name} is refused as ${code}`, async (t) => {
    const mesh = await openMesh(t);
    const wish = { token: invite(mesh, terms), subject: newIdentity(), name: "two" };
    await assert.rejects(askAdmission(wish), isProblem(code));
    assert.equal(mesh.log.view().nodes.size, 1);
  });
}

test("the next peer is asked when the first is dead, and a real answer beats a dead peer", async (t) => {
  const mesh = await openMesh(t);
  const dead = `/ip4/127.0.0.1/tcp/1/p2p/${newIdentity().id}`;
  const token = invite(mesh);
  const { peer } = await askAdmission({
    token: { ...token, addresses: ["nonsense", dead, ...token.addresses] },
    subject: newIdentity(),
    name: "two",
  });
  assert.equal(peer, token.addresses[0]);
  const used = { ...token, addresses: [dead, ...token.addresses, dead] };
  const late = askAdmission({ token: used, subject: newIdentity(), name: "three" });
  await assert.rejects(late, isProblem("invite-used-up"));
});

test("where no peer can be reached, that is said", async () => {
  const addresses = [`/ip4/127.0.0.1/tcp/1/p2p/${newIdentity().id}`];
  const token = { ...(await tokenOfNobody()), addresses };
  const wish = { token, subject: newIdentity(), name: "two" };
  await assert.rejects(askAdmission(wish), isProblem("peer-unreachable"));
  const none = { ...wish, token: { ...token, addresses: [] } };
  await assert.rejects(askAdmission(none), isProblem("invite-malformed"));
});

async function tokenOfNobody(): Promise<InviteToken> {
  const [inviteSeed, secret] = [new Uint8Array(randomBytes(32)), meshSecret];
  const mesh = "0".repeat(64) as MeshId;
  return { mesh, name: "", secret, inviteSeed, addresses: [], role: "peer", expiresAtMs: 0 };
}

const nonsense: [name: string, bytes: Uint8Array][] = [
  ["nothing", new Uint8Array()],
  ["no CBOR", Uint8Array.of(255)],
  ["another value", encode(7)],
];

for (const [name, bytes] of nonsense) {
  test(`a request that is ${name} is answered as invalid`, async (t) => {
    const answer = await send(t, bytes);
    assert.equal(answer?.kind, "refused");
    assert.equal(answer?.kind === "refused" && answer.problem.code, "request-invalid");
  });
}

test("a request without end is cut off, and the judge never sees it", async (t) => {
  assert.equal(await send(t, new Uint8Array(64 * 1024)), undefined);
});

test("a judge that fails resets the stream and stops nothing", async (t) => {
  const node = await openNode(t);
  serveAdmissions(node.link, async () => {
    throw new Error("a mistake of ours");
  });
  const identity = newIdentity();
  node.link.admitGuests(() => "invite");
  const token = { ...(await tokenOfNobody()), addresses: [fullAddress(node)] };
  const wish = { token: { ...token, inviteSeed: identity.seed }, subject: identity, name: "" };
  await assert.rejects(askAdmission(wish), isProblem("peer-unreachable"));
});

const lies: [name: string, answer: Uint8Array][] = [
  ["nothing", new Uint8Array()],
  ["no CBOR", Uint8Array.of(255)],
  ["facts that are no bytes", encode({ facts: [1] })],
  ["a problem that is none", encode({ problem: { code: "toString" } })],
  ["a problem with other data", encode({ problem: { code: "invite-expired", expiredAt: 7 } })],
];

for (const [name, bytes] of lies) {
  test(`a peer that answers ${name} is taken for dead`, async (t) => {
    const node = await openNode(t);
    node.link.admitGuests(() => "invite");
    node.link.serve(protocols.join, ["invite"], (stream) => stream.resume().end(bytes));
    const token = { ...(await tokenOfNobody()), addresses: [fullAddress(node)] };
    const wish = { token, subject: newIdentity(), name: "two" };
    await assert.rejects(askAdmission(wish), isProblem("peer-unreachable"));
  });
}

test("a large trust log arrives whole", async (t) => {
  const node = await openNode(t);
  node.link.admitGuests(() => "invite");
  const facts = Array.from({ length: 5_000 }, () => new Uint8Array(randomBytes(600)));
  serveAdmissions(node.link, async () => ({ kind: "admitted", facts }));
  const token = { ...(await tokenOfNobody()), addresses: [fullAddress(node)] };
  const answer = await askAdmission({ token, subject: newIdentity(), name: "two" });
  assert.deepEqual(answer.facts, facts);
});

test("answers are read as they were written", () => {
  const answers: Answer[] = [
    { kind: "admitted", facts: [] },
    { kind: "admitted", facts: [Uint8Array.of(1, 2)] },
    { kind: "refused", problem: { code: "invite-used-up", uses: 3 } },
    { kind: "refused", problem: { code: "node-revoked", node: "12D3" } },
  ];
  for (const answer of answers) {
    assert.deepEqual(readAnswer(decode(encode(writeAnswer(answer)))), answer);
  }
});

test("the refusal that decides is told, whatever else failed", () => {
  const dead: Problem = { code: "peer-unreachable", address: "a", detail: "" };
  const expired: Problem = { code: "invite-expired", expiredAt: "" };
  const refused: Problem = { code: "key-refused", address: "a", detail: "" };
  assert.equal(weigh([dead, expired, dead], "m").code, "invite-expired");
  assert.deepEqual(weigh([dead, refused], "m"), { code: "invite-unknown", mesh: "m" });
  assert.equal(weigh([dead, dead], "m"), dead);
});

/** Sends those bytes as a request; undefined when the stream was reset. */
async function send(t: TestContext, bytes: Uint8Array): Promise<Answer | undefined> {
  const mesh = await openMesh(t);
  const token = invite(mesh);
  const identity = identityFromSeed(token.inviteSeed);
  const link = await dialPeer({ address: fullAddress(mesh.node), secret: meshSecret, identity });
  t.after(() => link.close());
  const stream = await link.open(protocols.join);
  stream.end(bytes);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return readAnswer(decode(Buffer.concat(chunks)));
}

function isProblem(code: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof OperationError, String(error));
    assert.equal(error.problems[0]?.code, code, error.message);
    return true;
  };
}
