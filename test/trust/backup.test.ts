import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encode } from "../../crdt/codec.ts";
import { sha256 } from "../../crdt/hash.ts";
import { writeRevision } from "../../crdt/register.ts";
import { seal } from "../../crdt/signed.ts";
import type { MeshId } from "../../model/ids.ts";
import { type Backup, readBackup, writeBackup } from "../../trust/backup.ts";
import { type Fact, writeFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { type Identity, identityFromSeed } from "../../trust/identity.ts";
import { boxRandomBytes, openBox, sealBox } from "../../trust/sealed-box.ts";

const [founder, second, former, operator, stranger, node] = [1, 2, 3, 4, 5, 6].map((number) =>
  identityFromSeed(new Uint8Array(32).fill(number)),
) as [Identity, Identity, Identity, Identity, Identity, Identity];

const { mesh, facts } = createMesh({
  name: "home",
  founder,
  admins: [founder.id],
  node: node.id,
  nodeName: "host1",
  nonce: new Uint8Array(32),
  timeMs: 1_000,
});

function say(fact: Fact, of: string = mesh): Uint8Array {
  return writeFact(of, fact, 2_000, founder).bytes;
}

function revise(key: string, generation: number, value: unknown, of: string = mesh): Uint8Array {
  const draft = { key, generation, time: { timeMs: 3_000, counter: 0 }, parents: [] };
  return writeRevision(of, draft, value, operator).bytes;
}

const random = Uint8Array.from({ length: boxRandomBytes }, (_, index) => index);

const whole: Backup = {
  mesh,
  atMs: 5_000,
  secret: new Uint8Array(32).fill(9),
  facts: [
    ...facts,
    say({ kind: "grant", subject: second.id, role: "admin", name: "second" }),
    say({ kind: "grant", subject: former.id, role: "admin", name: "former" }),
    say({ kind: "revoke", subject: former.id, cutOffMs: 2_000 }),
    say({ kind: "grant", subject: operator.id, role: "operator", name: "operator" }),
  ],
  revisions: [revise("scale/a/b", 1, { replicas: 1 }), revise("scale/a/b", 2, undefined)],
  addresses: [`/ip4/10.0.0.1/tcp/7946/p2p/${node.id}`],
};
const bytes = writeBackup(whole, founder, random);

/** As it stands in a file, around whatever envelope. */
function frame(envelope: Uint8Array, version = "1"): Uint8Array {
  const head = Buffer.from(`shoal-backup ${version}\n`);
  return new Uint8Array(Buffer.concat([head, envelope, sha256(head, envelope)]));
}

function sealContent(content: unknown, by: Identity, of: unknown = mesh): Uint8Array {
  const { sender, keys, content: sealed } = sealBox(encode(content), [founder.id], random);
  return seal(by, "shoal/backup/1", { mesh: of, atMs: 1, sender, keys, content: sealed });
}

function detailOf(file: Uint8Array, reader = founder): string {
  const reading = readBackup(file, reader);
  assert.equal(reading.kind, "unreadable");
  return reading.kind === "unreadable" ? reading.detail : "";
}

test("every admin reads what one of them wrote, and nobody else does", () => {
  for (const admin of [founder, second]) {
    const reading = readBackup(bytes, admin);
    assert.ok(reading.kind === "read");
    assert.deepEqual(reading.backup, whole);
    assert.equal(reading.trust.name, "home");
  }
  for (const other of [former, operator, stranger, node]) {
    assert.deepEqual(readBackup(bytes, other), { kind: "sealed", mesh });
  }
});

test("neither the secret nor a spec stands in the file as it is", () => {
  const text = Buffer.from(bytes);
  assert.ok(!text.includes(Buffer.from(whole.secret)));
  for (const revision of whole.revisions) assert.ok(!text.includes(Buffer.from(revision)));
  for (const fact of whole.facts) assert.ok(!text.includes(Buffer.from(fact)));
});

test("whatever one byte of it is changed to, the file is refused", () => {
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [1, 0x80]) {
      const changed = new Uint8Array(bytes);
      changed[at] = (changed[at] as number) ^ flip;
      assert.equal(readBackup(changed, founder).kind, "unreadable", `byte ${at}`);
    }
  }
});

test("cut short or longer anywhere, the file is refused", () => {
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(readBackup(bytes.subarray(0, length), founder).kind, "unreadable", `${length}`);
  }
  assert.equal(detailOf(new Uint8Array([...bytes, 0])), "it is cut short or damaged");
});

test("a byte changed inside, with a checksum made anew, is refused for the signature", () => {
  const envelope = bytes.subarray("shoal-backup 1\n".length, -32);
  for (let at = 0; at < envelope.length; at += 7) {
    const changed = new Uint8Array(envelope);
    changed[at] = (changed[at] as number) ^ 1;
    const reading = readBackup(frame(changed), founder);
    assert.notEqual(reading.kind, "read", `byte ${at}`);
  }
});

test("a newer format is told from damage", () => {
  const newer = frame(new Uint8Array([1, 2, 3]), "2");
  assert.deepEqual(readBackup(newer, founder), { kind: "newer", version: 2 });
  newer[newer.length - 1] = (newer.at(-1) as number) ^ 1;
  assert.equal(detailOf(newer), "it is cut short or damaged");
});

const sound = { ...whole, mesh: undefined, atMs: undefined };
const { mesh: _, atMs: __, ...content } = sound;
const foreign = "0".repeat(64) as MeshId;
// What is sealed, who signs it, and what is said.
const forged: [name: string, envelope: () => Uint8Array, said: RegExp][] = [
  ["by somebody who is no admin", () => sealContent(content, stranger), /no admin of its mesh/],
  ["by a former admin", () => sealContent(content, former), /no admin of its mesh/],
  ["without genesis", () => sealContent({ ...content, facts: [] }, founder), /no admin/],
  ["with a short secret", () => sealContent({ ...content, secret: random }, founder), /no mesh/],
  ["with another mesh's id", () => sealContent(content, founder, foreign), /no mesh/],
  [
    "with another mesh's revision",
    () => sealContent({ ...content, revisions: [revise("a", 1, 1, foreign)] }, founder),
    /no mesh/,
  ],
  [
    "with another mesh's fact",
    () => {
      const fact = say({ kind: "revoke", subject: node.id, cutOffMs: 1 }, foreign);
      return sealContent({ ...content, facts: [...whole.facts, fact] }, founder);
    },
    /no mesh/,
  ],
  ["of nothing", () => sealContent(null, founder), /no mesh/],
  [
    "with addresses that are none",
    () => sealContent({ ...content, addresses: [1] }, founder),
    /no/,
  ],
  ["of another kind", () => seal(founder, "shoal/fact/1", {}), /signature does not fit/],
  ["that is empty", () => seal(founder, "shoal/backup/1", {}), /holds no backup/],
];
for (const [name, envelope, said] of forged) {
  test(`an envelope ${name} is refused`, () => {
    assert.match(detailOf(frame(envelope())), said);
  });
}

test("any bytes are read without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, framed) => {
      assert.equal(readBackup(framed ? frame(noise) : noise, founder).kind, "unreadable");
    }),
  );
});

test("whatever is in a mesh comes back out of its backup", () => {
  const revisions = fc.array(
    fc.tuple(fc.constantFrom("scale/a/b", "service/a/b"), fc.nat(99), fc.option(fc.nat(9))),
  );
  fc.assert(
    fc.property(
      revisions,
      fc.nat(),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      (list, at, r) => {
        const made = list.map(([key, generation, value]) => revise(key, generation, value));
        const backup = { ...whole, atMs: at, revisions: made };
        const reading = readBackup(writeBackup(backup, second, r), second);
        assert.deepEqual(reading.kind === "read" && reading.backup, backup);
      },
    ),
    { numRuns: 30 },
  );
});

test("a box is opened by its readers alone, and not at all once it was changed", () => {
  const box = sealBox(new Uint8Array([1, 2, 3]), [founder.id, "no key", second.id], random);
  assert.deepEqual(
    box.keys.map(([id]) => id),
    [founder.id, second.id],
  );
  assert.deepEqual(openBox(box, second), new Uint8Array([1, 2, 3]));
  assert.equal(openBox(box, stranger), undefined);
  const [key] = box.keys as [(typeof box.keys)[0]];
  const taken = { ...box, keys: [[stranger.id, key[1]] as const] };
  assert.equal(openBox(taken, stranger), undefined, "a key sealed for another");
  assert.equal(openBox({ ...box, content: new Uint8Array(5) }, founder), undefined);
  assert.equal(openBox({ ...box, content: new Uint8Array(25) }, founder), undefined);
  assert.equal(openBox({ ...box, sender: new Uint8Array(32) }, founder), undefined);
  assert.equal(openBox({ ...box, sender: new Uint8Array(3) }, founder), undefined);
});
