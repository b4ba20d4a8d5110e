import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, sha256 } from "../../crdt/hash.ts";
import { seal } from "../../crdt/signed.ts";
import { factBytesMax, openFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { verify } from "../../trust/identity.ts";
import { TrustLog } from "../../trust/log.ts";
import { mutated } from "../crdt/bytes.ts";
import { facts, founded, key, logOfBytes, mesh, standing } from "./story.ts";

const [ada, ben, n0] = [key("ada"), key("ben"), key("n0")];
const write = (fact: unknown, over: object = {}) =>
  seal(ada, "shoal/fact/1", { mesh, timeMs: 10, fact, ...over });
const opens = (bytes: Uint8Array) => openFact(bytes, mesh, verify) !== undefined;

const grant = { kind: "grant", subject: ben.id, role: "operator", name: "ben" };
const invite = { kind: "invite", invite: ben.id, role: "peer", expiresAtMs: 20, uses: 1 };
const admit = { kind: "admit", subject: n0.id, role: "peer", name: "n0", acceptance: null };
const acceptance = { node: n0.id, timeMs: 10, signature: new Uint8Array(64) };
const revoke = { kind: "revoke", subject: n0.id, cutOffMs: 10 };

test("facts in order are read, with what a reader does not know left alone", () => {
  for (const fact of [grant, invite, admit, { ...admit, acceptance }, revoke]) {
    assert.ok(opens(write(fact)), fact.kind);
    assert.ok(opens(write({ ...fact, invented: { later: 1 } })), fact.kind);
  }
});

const bad: readonly [what: string, bytes: Uint8Array][] = [
  ["no kind", write({ ...grant, kind: null })],
  ["an unknown kind", write({ ...grant, kind: "promote" })],
  ["a kind that every object has", write({ ...grant, kind: "constructor" })],
  ["a subject that is no key", write({ ...grant, subject: "ben" })],
  ["a subject past all length", write({ ...grant, subject: "b".repeat(65) })],
  ["a subject that is no text", write({ ...revoke, subject: 7 })],
  ["a grant of a node's role", write({ ...grant, role: "peer" })],
  ["a role of nobody", write({ ...admit, role: "king" })],
  ["a name past all length", write({ ...grant, name: "b".repeat(257) })],
  ["an expiry that is no time", write({ ...invite, expiresAtMs: -1 })],
  ["half a use", write({ ...invite, uses: 0.5 })],
  ["a cut-off that is text", write({ ...revoke, cutOffMs: "now" })],
  ["no word on acceptance", write({ ...admit, acceptance: false })],
  ["an acceptance by no key", write({ ...admit, acceptance: { ...acceptance, node: "n0" } })],
  ["an acceptance at no time", write({ ...admit, acceptance: { ...acceptance, timeMs: 1.5 } })],
  [
    "an acceptance with no signature",
    write({ ...admit, acceptance: { ...acceptance, signature: "" } }),
  ],
  ["a list for a fact", write([grant])],
  ["no fact", write(null)],
  ["no time", write(grant, { timeMs: null })],
  ["another mesh", write(grant, { mesh: "0".repeat(64) })],
  ["no mesh", write(grant, { mesh: "" })],
  [
    "a second genesis",
    write({ kind: "genesis", name: "", admins: [ben.id], nonce: new Uint8Array() }, { mesh: "" }),
  ],
  ["another context", seal(ada, "shoal/head/1", { mesh, timeMs: 10, fact: grant })],
  ["a size past its bound", write({ ...grant, more: "x".repeat(factBytesMax) })],
];

for (const [what, bytes] of bad) {
  test(`a fact with ${what} is not read`, () => {
    assert.equal(opens(bytes), false);
    assert.equal(logOfBytes([...founded.facts]).add(bytes), "invalid");
  });
}

test("a hundred thousand damaged facts change nothing and throw nothing", () => {
  const told = facts([
    "10 ada grants ben admin",
    "11 ada invites i peer uses 9",
    "12 i brings n1 via n0",
    "13 ben revokes n1",
  ]).map(({ bytes }) => bytes);
  const all = [...founded.facts, ...told];
  const log = logOfBytes(all);
  const before = standing(log.view());
  const known = new Set(all.map(hex));
  for (const bytes of mutated(all, 100_000, 13)) {
    const outcome = log.add(bytes);
    assert.equal(outcome, known.has(hex(bytes)) ? "known" : "invalid");
  }
  assert.equal(log.entries().size, all.length);
  assert.equal(standing(log.view()), before);
});

test("a fact is its bytes: a copy that a relay spells otherwise is none", () => {
  const [told] = facts(["10 ada grants ben admin"]);
  const bytes = told?.bytes as Uint8Array;
  const { id } = openFact(bytes, mesh, verify) ?? {};
  assert.equal(id, hex(sha256(bytes)));
});

const birth = {
  name: "home",
  founder: ada,
  admins: [ada.id],
  node: n0.id,
  nodeName: "n0",
  nonce: new Uint8Array(32),
  timeMs: 1000,
};

function viewOf({ mesh: born, facts: all }: ReturnType<typeof createMesh>) {
  const log = new TrustLog(born, verify);
  for (const bytes of all) assert.equal(log.add(bytes), "added");
  return log.view();
}

test("genesis names the mesh by its hash, its first admins, and its first node", () => {
  const born = createMesh(birth);
  assert.equal(born.mesh, hex(sha256(born.facts[0] as Uint8Array)));
  const view = viewOf(born);
  assert.equal(view.name, "home");
  assert.equal(view.roleOf(ada.id), "admin");
  assert.equal(view.nodes.get(n0.id as never)?.role, "peer");
});

test("a founder that is no admin is out when the mesh is born, and what it founded stays", () => {
  const view = viewOf(createMesh({ ...birth, admins: [ben.id] }));
  assert.equal(standing(view), "ben admin, n0 peer");
  assert.ok(!view.mayWrite(ada.id, 5000));
  assert.ok(view.revoked.has(ada.id));
});

test("two meshes of one founder, name and moment differ by their nonce", () => {
  const other = createMesh({ ...birth, nonce: new Uint8Array(32).fill(1) });
  assert.notEqual(other.mesh, createMesh(birth).mesh);
  assert.equal(createMesh(birth).mesh, createMesh(birth).mesh);
});
