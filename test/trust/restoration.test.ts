import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode } from "../../crdt/codec.ts";
import type { NodeId } from "../../model/ids.ts";
import type { Backup } from "../../trust/backup.ts";
import { writeFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";
import { judgeAdmission, mintInvite, parseInvite, requestAdmission } from "../../trust/invite.ts";
import { TrustLog } from "../../trust/log.ts";
import {
  freshMs,
  parseRestoration,
  prepareRestoration,
  printRestoration,
} from "../../trust/restoration.ts";

const [admin, first, second, fresh, joiner] = [1, 2, 3, 4, 5].map((number) =>
  identityFromSeed(new Uint8Array(32).fill(number)),
) as [Identity, Identity, Identity, Identity, Identity];

const genesis = createMesh({
  name: "home",
  founder: admin,
  admins: [admin.id],
  node: first.id,
  nodeName: "host1",
  nonce: new Uint8Array(32),
  timeMs: 1_000,
});
const { mesh } = genesis;
const runner = { kind: "admit", subject: second.id, role: "runner", name: "host2" } as const;
const backup: Backup = {
  mesh,
  atMs: 50_000,
  secret: new Uint8Array(32).fill(9),
  facts: [...genesis.facts, writeFact(mesh, { ...runner, acceptance: null }, 40_000, admin).bytes],
  revisions: [new Uint8Array([1])],
  addresses: [`/ip4/10.0.0.1/tcp/1/p2p/${first.id}`],
};

function logOf(facts: readonly Uint8Array[]): TrustLog {
  const log = new TrustLog(mesh, verify);
  for (const fact of facts) assert.equal(log.add(fact), "added");
  return log;
}

const trust = logOf(backup.facts).view();

function prepare(seed: Uint8Array, changes: { nowMs?: number; allLost?: boolean } = {}) {
  const options = { seed, nodeName: "host9", admin, nowMs: 60_000, allLost: false, ...changes };
  return prepareRestoration(backup, trust, options);
}

// Whose key the node has, whether all are lost, and who is a node afterwards.
const cases: [name: string, key: Identity, allLost: boolean, nodes: string[], added: number][] = [
  ["a new key joins those there were", fresh, false, ["first", "second", "fresh"], 1],
  ["a new key is the only one when all are lost", fresh, true, ["fresh"], 3],
  ["the key of a peer needs no word", first, false, ["first", "second"], 0],
  ["the key of a peer stays alone when all are lost", first, true, ["first"], 1],
  ["the key of a runner is made a peer", second, false, ["first", "second"], 1],
];
for (const [name, { id, seed }, allLost, nodes, count] of cases) {
  test(`in a restored mesh ${name}`, () => {
    const { restoration, added } = prepare(seed, { allLost });
    const view = logOf(restoration.facts).view();
    const named = { first: first.id, second: second.id, fresh: fresh.id };
    const wanted = nodes.map((one) => named[one as keyof typeof named]);
    assert.deepEqual([...view.nodes.keys()].sort(), wanted.sort());
    assert.equal(view.nodes.get(id as NodeId)?.role, "peer");
    assert.equal(view.roleOf(admin.id), "admin");
    assert.equal(added.length, count);
    assert.deepEqual(restoration.facts, [...backup.facts, ...added]);
    assert.deepEqual(restoration.addresses, allLost ? [] : backup.addresses);
  });
}

test("others join a restored mesh by an invite that its node accepts", () => {
  const log = logOf(prepare(fresh.seed, { allLost: true }).restoration.facts);
  const token = {
    mesh,
    name: "home",
    secret: backup.secret,
    inviteSeed: new Uint8Array(32).fill(8),
    addresses: [],
    role: "peer",
    expiresAtMs: 90_000,
  } as const;
  const minted = mintInvite(token, 1, 70_000, admin);
  log.add(minted.fact);
  const parsed = parseInvite(minted.text);
  assert.ok(!("code" in parsed));
  const request = decode(requestAdmission(parsed, joiner, "host10"));
  const verdict = judgeAdmission(request, log, fresh, 71_000, verify);
  assert.ok(verdict.kind === "admitted");
  log.add(verdict.fact);
  assert.equal(log.view().nodes.get(joiner.id as NodeId)?.role, "peer");
});

test("a clock that is behind takes nothing away that was said before", () => {
  const { restoration } = prepare(fresh.seed, { nowMs: 10, allLost: true });
  const view = logOf(restoration.facts).view();
  assert.deepEqual([...view.nodes.keys()], [fresh.id]);
  for (const { cutOffMs } of view.revoked.values()) assert.ok(cutOffMs > 40_000);
});

// Age of the backup, whether all are lost, whether the node's memory counts.
const ages: [ageMs: number, allLost: boolean, settled: boolean][] = [
  [0, false, true],
  [-5_000, false, true],
  [freshMs - 1, false, true],
  [freshMs, false, false],
  [freshMs, true, true],
];
for (const [ageMs, allLost, settled] of ages) {
  const who = allLost ? "nobody" : "others";
  test(`with a backup of ${ageMs} ms and ${who} left its memory counts: ${settled}`, () => {
    const options = { nowMs: backup.atMs + ageMs, allLost };
    assert.equal(prepare(fresh.seed, options).restoration.settled, settled);
  });
}

test("what the command prints is what the agent reads", () => {
  const { restoration } = prepare(fresh.seed);
  const text = printRestoration(restoration);
  assert.deepEqual(parseRestoration(`${text}\n`), restoration);
  for (let end = 0; end < text.length; end += 13) {
    assert.equal(parseRestoration(text.slice(0, end)), undefined);
  }
  fc.assert(fc.property(fc.string(), (noise) => assert.equal(parseRestoration(noise), undefined)));
});
