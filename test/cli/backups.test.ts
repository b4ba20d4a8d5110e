/** `shoal backup` and `shoal restore` as a person types them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readBackup } from "../../api/person.ts";
import { sha256 } from "../../crdt/hash.ts";
import { writeRevision } from "../../crdt/register.ts";
import type { NodeId } from "../../model/ids.ts";
import { writeFact } from "../../trust/facts.ts";
import { identityFromSeed, verify } from "../../trust/identity.ts";
import { TrustLog } from "../../trust/log.ts";
import { parseRestoration } from "../../trust/restoration.ts";
import { type Fake, genesis, key, makeFake, mesh, nodeKey, sentences, type } from "./fake-world.ts";
import { helloView, meshView, nodeView } from "./views.ts";

const file = "/srv/shop/home.backup";
const draft = {
  key: "scale/hello/web",
  generation: 1,
  time: { timeMs: 1, counter: 0 },
  parents: [],
};
const revision = writeRevision(mesh, draft, { kind: "scale" }, key).bytes;

/** Where a backup was taken of a mesh with one revision. */
function backedUp(): Fake {
  const fake = makeFake({ view: helloView() });
  fake.held = { ...fake.held, revisions: [revision] };
  assert.equal(type(fake, "backup home.backup").code, 0);
  return fake;
}

/** A machine with nothing but the file and the person's key. */
function elsewhere(bytes = backedUp().kept.get(file) as Uint8Array): Fake {
  const fake = makeFake({ view: meshView({ nodes: [nodeView("host1")] }) });
  fake.contexts = { current: "", contexts: [] };
  fake.kept.set(file, bytes);
  return fake;
}

function restorationOf(fake: Fake) {
  const restoration = parseRestoration(fake.starts[0]?.input ?? "");
  assert.ok(restoration !== undefined);
  const log = new TrustLog(mesh, verify);
  for (const fact of restoration.facts) log.add(fact);
  return { ...restoration, view: log.view() };
}

test("backup writes a file that its admin can read, and says what is in it", () => {
  const fake = backedUp();
  const bytes = fake.kept.get(file) as Uint8Array;
  const reading = readBackup(bytes, key);
  assert.ok(reading.kind === "read");
  const { backup } = reading;
  assert.deepEqual([backup.mesh, backup.facts], [mesh, genesis.facts]);
  assert.deepEqual(backup.revisions, [revision]);
  assert.ok(backup.addresses.includes(`/ip4/10.0.0.1/tcp/7946/p2p/${nodeView("host1").node}`));
  assert.match(fake.out.join(), /^mesh home: 2 services, 2 facts, 1 revision; .* in home.backup$/);
  type(fake, "backup --format json home.backup");
  const summary = JSON.parse(fake.out.at(-1) ?? "");
  assert.deepEqual(
    [summary.mesh, summary.services, summary.revisions, summary.bytes, summary.file],
    [mesh, 2, 1, bytes.length, file],
  );
});

test("backup to standard output prints nothing else there, and nothing at all on a terminal", () => {
  const fake = makeFake({ view: helloView() });
  assert.equal(type(fake, "backup -").code, 0);
  assert.ok(fake.kept.has("-"));
  assert.deepEqual(fake.out, []);
  assert.match(fake.err.join(), /^mesh home: /);
  const shown = makeFake({ view: helloView(), isShown: true });
  assert.match(sentences(type(shown, "backup -")).join(), /standard output is a terminal/);
  assert.equal(shown.kept.size, 0);
});

test("backup by a person who is no admin, or does not know the mesh's secret, is refused", () => {
  const fake = makeFake({ view: helloView() });
  const revoke = { kind: "revoke", subject: key.id, cutOffMs: 2_000 } as const;
  const facts = [...genesis.facts, writeFact(mesh, revoke, 1_500, key).bytes];
  fake.held = { facts, revisions: [] };
  const { problems } = type(fake, "backup home.backup");
  assert.deepEqual(problems, [{ code: "not-authorised", principal: key.id, needs: "admin" }]);
  const stranger = makeFake({ view: helloView() });
  stranger.contexts = { current: "", contexts: [] };
  assert.match(sentences(type(stranger, "backup home.backup")).join(), /no context here knows/);
  assert.deepEqual([fake.kept.size, stranger.kept.size], [0, 0]);
});

test("restore starts an agent with a key that the admin admits, and remembers the mesh", () => {
  const fake = elsewhere();
  const line = "restore home.backup --data /tmp/n1 --node-name host9 --engine process --detach";
  assert.equal(type(fake, line).code, 0);
  const [start] = fake.starts;
  assert.ok(start?.args.join(" ").endsWith("--name host9 --engine process --restore"));
  assert.ok(!start?.args.join(" ").includes(start.input ?? ""), "secrets are no arguments");
  const { view, seed, revisions, settled } = restorationOf(fake);
  const node = identityFromSeed(seed).id as NodeId;
  assert.deepEqual([...view.nodes.keys()].sort(), [node, nodeKey.id].sort());
  assert.equal(view.nodes.get(node)?.name, "host9");
  assert.deepEqual([revisions, settled], [[revision], true]);
  assert.match(fake.err.join("\n"), /restoring mesh home as it was on 1970-01-01T00:00:10.000Z: /);
  assert.match(fake.err.join("\n"), /no node of mesh home answers: with --all-lost/);
  assert.equal(fake.contexts.contexts[0]?.mesh, mesh);
});

test("restore asks one address of every node before the second of any", () => {
  const fake = elsewhere();
  type(fake, "restore home.backup --detach");
  const nodes = fake.reached.map((address) => address.split("/p2p/")[1]);
  const count = new Set(nodes).size;
  assert.ok(count > 1);
  assert.equal(new Set(nodes.slice(0, count)).size, count);
});

test("restore takes a key that is there already, unless it was removed from the mesh", () => {
  const fake = elsewhere();
  fake.seed = nodeKey.seed;
  assert.equal(type(fake, "restore home.backup --detach").code, 0);
  const { view, seed, facts } = restorationOf(fake);
  assert.deepEqual(seed, nodeKey.seed);
  assert.deepEqual([...view.nodes.keys()], [nodeKey.id]);
  assert.deepEqual(facts, genesis.facts);
  const revoke = { kind: "revoke", subject: nodeKey.id, cutOffMs: 2_000 } as const;
  const before = makeFake({ view: helloView() });
  before.held = {
    facts: [...genesis.facts, writeFact(mesh, revoke, 2_000, key).bytes],
    revisions: [],
  };
  type(before, "backup home.backup");
  const removed = elsewhere(before.kept.get(file));
  removed.seed = nodeKey.seed;
  const { problems } = type(removed, "restore home.backup --detach");
  assert.deepEqual(problems, [{ code: "node-revoked", node: nodeKey.id }]);
});

test("with all lost, the others are taken out, after a question", () => {
  const fake = elsewhere();
  fake.answer = false;
  assert.equal(type(fake, "restore home.backup --all-lost --detach").code, 1);
  assert.equal(fake.starts.length, 0);
  fake.answer = true;
  assert.equal(type(fake, "restore home.backup --all-lost --detach").code, 0);
  const { view, seed } = restorationOf(fake);
  assert.deepEqual([...view.nodes.keys()], [identityFromSeed(seed).id]);
});

test("nodes that are left are told of the new one first, and are never taken out", () => {
  const fake = elsewhere();
  fake.isAlive = true;
  const refused = type(fake, "restore home.backup --all-lost --yes --detach");
  assert.equal(refused.problems[0]?.code, "mesh-alive");
  assert.deepEqual([fake.starts.length, fake.facts.length], [0, 0]);
  assert.equal(type(fake, "restore home.backup --detach").code, 0);
  assert.equal(fake.facts.length, 1);
  assert.deepEqual(restorationOf(fake).facts, [...genesis.facts, ...fake.facts]);
  assert.match(fake.err.join("\n"), /mesh home answers at .*: what is there is merged/);
});

test("restore begins nothing where a node is already", () => {
  const fake = elsewhere();
  fake.agentFile = { mesh, name: "home", secret: "", node: nodeKey.id as NodeId };
  const { problems } = type(fake, "restore home.backup --data /tmp/n1");
  assert.deepEqual(problems, [{ code: "already-member", mesh: "home", path: "/tmp/n1" }]);
  assert.equal(fake.starts.length, 0);
});

function newer(): Uint8Array {
  const head = Buffer.from("shoal-backup 7\n");
  return new Uint8Array(Buffer.concat([head, sha256(head)]));
}

const wrong: [name: string, bytes: (whole: Uint8Array) => Uint8Array | undefined, said: RegExp][] =
  [
    ["that is not there", () => undefined, /^cannot read home.backup: it is not there/],
    ["that is empty", () => new Uint8Array(0), /^cannot restore home.backup: it is no backup/],
    ["that is cut short", (whole) => whole.subarray(0, -1), /cut short or damaged/],
    ["of a newer Shoal", newer, /newer Shoal \(format 7, this one knows 1\): upgrade/],
  ];
for (const [name, bytes, said] of wrong) {
  test(`restore of a file ${name} begins nothing`, () => {
    const fake = elsewhere();
    const found = bytes(fake.kept.get(file) as Uint8Array);
    if (found === undefined) fake.kept.delete(file);
    else fake.kept.set(file, found);
    const ran = type(fake, "restore home.backup");
    assert.equal(ran.code, 1);
    assert.match(sentences(ran).join(), said);
    assert.deepEqual([fake.starts.length, fake.reached.length], [0, 0]);
  });
}

test("restore by somebody for whom the file is not sealed says whose key it takes", () => {
  const fake = elsewhere();
  const other = identityFromSeed(new Uint8Array(32).fill(44));
  Object.assign(fake.world, { key: () => other });
  const { problems } = type(fake, "restore home.backup");
  assert.deepEqual(problems, [{ code: "backup-sealed", file: "home.backup", mesh, key: other.id }]);
});
