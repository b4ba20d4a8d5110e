import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hex } from "../../crdt/hash.ts";
import { amend } from "../../crdt/node-document.ts";
import { conflicts } from "../../crdt/register.ts";
import { writeFrame } from "../../gossip/frames.ts";
import { parkedAfterMs, tombstoneKeptMs } from "../../gossip/retirement.ts";
import type { Row } from "../../model/documents.ts";
import type { NodeId } from "../../model/ids.ts";
import { SeededRandom } from "../../sim/random.ts";
import { writeFact } from "../../trust/facts.ts";
import { identity, operator, Stores, scale, startMs, stranger } from "./stores.ts";

const key = "scale/default/web";

function digests(stores: Stores): string[] {
  return stores.ids.map((_, index) => hex(stores.at(index).digest()));
}

function assertEqual(stores: Stores): void {
  assert.equal(new Set(digests(stores)).size, 1, "digests differ");
}

function setRow(stores: Stores, index: number, accused: string, incarnation: number): void {
  const row: Row = { kind: "accuse", accused: accused as NodeId, incarnation };
  const { wallMs } = stores.moment();
  stores.at(index).amend(new Map([[`accuse/${accused}`, row]]), { wallMs, incarnation: 0 });
}

/** Any of these steps in any order, frames lost at will; then everybody compares with everybody. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("write", "remove", "row", "broadcast", "compare"),
    from: fc.nat(2),
    to: fc.nat(2),
    value: fc.nat(4),
  }),
  { maxLength: 25 },
);

test("stores that saw different things, with frames lost, are equal once all have compared", () => {
  fc.assert(
    fc.property(steps, fc.nat(), (actions, seed) => {
      const stores = new Stores(3);
      const random = new SeededRandom(seed);
      const loses = () => random.chance(30);
      for (const { kind, from, to, value } of actions) {
        stores.nowMs += 10;
        const name = `scale/default/s${value}`;
        if (kind === "write") stores.submit(from, name, scale(`default/s${value}`, value));
        if (kind === "remove") stores.submit(from, name, null);
        if (kind === "row") setRow(stores, from, `node-${value}`, stores.nowMs);
        if (kind === "broadcast") stores.broadcast(from, loses);
        if (kind === "compare" && from !== to) stores.compare(from, to, loses);
      }
      for (let round = 0; round < 2; round++) {
        for (const [from, to] of [
          [0, 1],
          [1, 2],
          [2, 0],
        ] as const) {
          stores.compare(from, to);
        }
      }
      assertEqual(stores);
    }),
    { numRuns: 150 },
  );
});

test("a broadcast write is at every peer, and the writer is told how many have it", () => {
  const stores = new Stores(3);
  const outcome = stores.submit(0, key, scale("default/web", 4));
  assert.ok(outcome.kind === "accepted");
  assert.equal(stores.at(0).peersWith(outcome.ids), 0);
  stores.broadcast(0);
  assert.equal(stores.at(0).peersWith(outcome.ids), 2);
  assertEqual(stores);
});

test("two concurrent writes end the same everywhere, and the loser is kept as a conflict", () => {
  const stores = new Stores(2);
  stores.submit(0, key, scale("default/web", 1));
  stores.submit(1, key, scale("default/web", 2));
  stores.compare(0, 1);
  assertEqual(stores);
  const register = stores.at(0).register(key);
  assert.equal(register && conflicts(register).length, 1);
});

test("several changes of one moment leave as one delta that peers can apply", () => {
  const stores = new Stores(2);
  setRow(stores, 0, "a", 1);
  stores.broadcast(0);
  setRow(stores, 0, "b", 1);
  setRow(stores, 0, "c", 1);
  const frames = stores.at(0).takeBroadcast(stores.moment());
  assert.equal(frames.length, 1);
  stores.carry(0, 1, frames);
  assertEqual(stores);
});

test("a change too large to broadcast is compared and pulled", () => {
  const stores = new Stores(2);
  for (let index = 0; index < 400; index++) setRow(stores, 0, `node-${index}`, index);
  const [frame] = stores.at(0).takeBroadcast(stores.moment());
  assert.ok(frame !== undefined && frame.length < 1000);
  stores.carry(0, 1, [frame]);
  assertEqual(stores);
});

test("a stamp from the future is held back and alarmed, and taken once its time has come", () => {
  const stores = new Stores(2);
  const revision = stores.sign(0, key, scale("default/web", 1));
  const late = new Stores(2);
  late.nowMs = -60_000;
  const frame = writeFrame({
    kind: "push",
    fresh: true,
    documents: [],
    revisions: [revision],
    facts: [],
  });
  late.carry(0, 1, [frame]);
  assert.equal(late.at(1).current(key), undefined);
  assert.deepEqual(
    late
      .at(1)
      .problems()
      .map(({ code }) => code),
    ["stamp-from-future"],
  );
  late.nowMs = 0;
  late.carry(0, 1, [frame]);
  assert.notEqual(late.at(1).current(key), undefined);
});

test("a write is refused while this clock is far from the peers' clocks", () => {
  const stores = new Stores(3);
  for (const peer of [1, 2]) {
    const greeting = stores.at(peer).greet(stores.moment(3_600_000));
    stores.at(0).receive(stores.ids[peer] as NodeId, greeting, stores.moment());
  }
  const outcome = stores.submit(0, key, scale("default/web", 1));
  assert.ok(outcome.kind === "refused");
  assert.deepEqual(
    outcome.problems.map(({ code }) => code),
    ["clock-skewed"],
  );
});

test("what a stranger signed is counted and dropped", () => {
  const stores = new Stores(2);
  const revision = stores.sign(0, key, scale("default/web", 1), stranger);
  assert.equal(
    stores.at(0).submit({ revisions: [revision], facts: [] }, stores.moment()).kind,
    "refused",
  );
  const before = stores.at(1).dropped;
  const frame = { kind: "push", fresh: true, documents: [], facts: [] } as const;
  stores.carry(0, 1, [writeFrame({ ...frame, revisions: [revision] })]);
  assert.equal(stores.at(1).dropped, before + 1);
});

test("two states signed as one convict their signer everywhere, and its rows are not believed", () => {
  const stores = new Stores(3);
  const liar = identity(3);
  const base = { mesh: stores.mesh, epoch: 9_000_000_000, incarnation: 0, wallMs: 1 };
  const [one, other] = [1, 2].map((value) => {
    const changes = new Map([["node", new Uint8Array([value])]]);
    return amend(undefined, { ...base, changes }, liar).delta;
  });
  const push = (delta: typeof one) =>
    writeFrame({
      kind: "push",
      fresh: true,
      documents: delta === undefined ? [] : [delta],
      revisions: [],
      facts: [],
    });
  stores.carry(2, 0, [push(one)]);
  stores.carry(2, 1, [push(other)]);
  stores.compare(0, 1);
  stores.broadcast(0);
  stores.broadcast(1);
  for (const index of [0, 1]) {
    const codes = stores
      .at(index)
      .problems()
      .map(({ code }) => code);
    assert.deepEqual(codes, ["node-equivocated"]);
    assert.equal([...stores.at(index).rows(liar.id as NodeId, "")].length, 0);
  }
});

test("a node that lost its disk outranks its own former documents", () => {
  const stores = new Stores(2);
  setRow(stores, 0, "a", 1);
  stores.broadcast(0);
  stores.nowMs = -5_000;
  const fresh = stores.open(identity(1));
  stores.stores.set(stores.ids[0] as NodeId, fresh);
  setRow(stores, 0, "b", 1);
  stores.compare(0, 1);
  stores.compare(0, 1);
  assertEqual(stores);
  const keys = [...stores.at(1).rows(stores.ids[0] as NodeId, "")].map(([name]) => name);
  assert.deepEqual(keys, ["accuse/b"]);
});

test("a restart continues from what went to disk, with a higher epoch", () => {
  const stores = new Stores(1);
  setRow(stores, 0, "a", 1);
  stores.submit(0, key, scale("default/web", 3));
  const before = hex(stores.at(0).digest());
  const epoch = stores.at(0).document(stores.ids[0] as NodeId)?.head.epoch ?? 0;
  const loaded = stores.loaded(stores.at(0).takeWrites());
  const again = stores.open(identity(1), loaded);
  assert.equal(hex(again.digest()), before);
  stores.stores.set(stores.ids[0] as NodeId, again);
  setRow(stores, 0, "a", 1);
  assert.ok((again.document(stores.ids[0] as NodeId)?.head.epoch ?? 0) > epoch);
});

test("a revoked node's document goes everywhere", () => {
  const stores = new Stores(3);
  setRow(stores, 2, "a", 1);
  stores.broadcast(2);
  const subject = stores.ids[2] as string;
  const fact = { kind: "revoke", subject, cutOffMs: startMs } as const;
  const facts = [writeFact(stores.mesh, fact, startMs, operator).bytes];
  stores.at(0).submit({ revisions: [], facts }, stores.moment());
  stores.broadcast(0);
  for (const index of [0, 1]) {
    assert.equal(stores.at(index).document(stores.ids[2] as NodeId), undefined);
  }
  assert.equal(hex(stores.at(0).digest()), hex(stores.at(1).digest()));
});

test("a tombstone goes when a day has passed and every member has had it", () => {
  const stores = new Stores(2);
  stores.submit(0, key, scale("default/web", 1));
  stores.compare(0, 1);
  stores.submit(0, key, null);
  stores.nowMs += tombstoneKeptMs / 2;
  stores.at(0).tidy(stores.moment());
  stores.nowMs += tombstoneKeptMs;
  stores.at(0).tidy(stores.moment());
  assert.notEqual(stores.at(0).register(key), undefined, "the other has not had it");
  stores.compare(0, 1);
  stores.compare(1, 0);
  assert.equal(stores.at(1).current(key), undefined, "the deleted thing stays deleted");
});

test("a tombstone that both have had is purged by each in its own time, and nothing comes back", () => {
  const stores = new Stores(2);
  stores.submit(0, key, scale("default/web", 1));
  stores.compare(0, 1);
  stores.submit(0, key, null);
  stores.nowMs += 1000;
  stores.compare(0, 1);
  stores.compare(1, 0);
  stores.nowMs += tombstoneKeptMs + 1000;
  stores.at(0).tidy(stores.moment());
  assert.equal(stores.at(0).register(key), undefined);
  stores.compare(1, 0);
  stores.compare(0, 1);
  assert.equal(stores.at(0).current(key), undefined);
  stores.at(1).tidy(stores.moment());
  stores.compare(1, 0);
  assertEqual(stores);
  assert.equal(stores.at(0).current(key), undefined);
});

test("a node back from a long absence takes state before it gives any", () => {
  const stores = new Stores(2);
  stores.submit(0, key, scale("default/web", 1));
  setRow(stores, 1, "a", 1);
  stores.compare(0, 1);
  const disk = stores.loaded(stores.at(1).takeWrites());
  stores.submit(0, key, null);
  stores.nowMs += parkedAfterMs + 60_000;
  stores.at(0).tidy(stores.moment());
  assert.equal(stores.at(0).register(key), undefined, "a parked member is not waited for");
  stores.stores.set(stores.ids[1] as NodeId, stores.open(identity(2), disk));
  setRow(stores, 1, "b", 1);
  for (let round = 0; round < 3; round++) {
    stores.compare(1, 0);
    stores.compare(0, 1);
  }
  assert.equal(stores.at(0).current(key), undefined);
  assert.equal(stores.at(1).current(key), undefined);
  assertEqual(stores);
});

test("a hundred thousand random and mutated frames throw nothing and add nothing unsigned", () => {
  const stores = new Stores(2);
  setRow(stores, 0, "a", 1);
  const outcome = stores.submit(0, key, scale("default/web", 1));
  assert.equal(outcome.kind, "accepted");
  const valid = [
    stores.at(0).greet(stores.moment()),
    ...stores.at(0).takeBroadcast(stores.moment()),
  ];
  const random = new SeededRandom(7);
  const from = stores.ids[0] as NodeId;
  for (let run = 0; run < 100_000; run++) {
    const base = run % 2 === 0 ? random.pick(valid) : new Uint8Array(random.below(300));
    const frame = new Uint8Array(base);
    for (let flips = 1 + random.below(8); flips > 0; flips--) {
      if (frame.length > 0) frame[random.below(frame.length)] = random.below(256);
    }
    stores.at(1).receive(from, frame.subarray(0, random.below(frame.length + 1)), stores.moment());
  }
  // What was left whole in a damaged frame is still somebody's signed word, and no more than that.
  const revision = stores.at(1).current(key);
  assert.equal(revision?.id ?? stores.at(0).current(key)?.id, stores.at(0).current(key)?.id);
  stores.compare(0, 1);
  assertEqual(stores);
});
