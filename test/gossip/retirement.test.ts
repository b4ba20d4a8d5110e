/** A memory that is too old to count: of a node that was away for long, or of an old backup. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../../crdt/codec.ts";
import { hex } from "../../crdt/hash.ts";
import { unsettledKey } from "../../gossip/replica.ts";
import { parkedAfterMs } from "../../gossip/retirement.ts";
import type { Row } from "../../model/documents.ts";
import type { NodeId } from "../../model/ids.ts";
import { identity, Stores, scale, startMs } from "./stores.ts";

const key = "scale/default/web";

/** Since when the third takes state first: after the first was admitted, before the second was. */
const unsettled = { table: "meta", key: unsettledKey, value: encode(startMs - 9_500) };

/** Whoever begins. */
const orders: [name: string, begin: 0 | 1][] = [
  ["which asks", 0],
  ["which is asked", 1],
];

function meet(stores: Stores, left: number, right: number): void {
  for (let round = 0; round < 2; round++) {
    stores.compare(left, right);
    stores.compare(right, left);
  }
}

function isThere(stores: Stores, index: number): boolean {
  return stores.at(index).current(key) !== undefined;
}

function assertEqual(stores: Stores, left: number, right: number): void {
  assert.equal(hex(stores.at(left).digest()), hex(stores.at(right).digest()), "digests differ");
}

function backupOf(stores: Stores, index: number) {
  return stores
    .at(index)
    .revisions()
    .map((value, at) => ({ table: "revision", key: String(at), value }));
}

function say(stores: Stores, index: number, incarnation: number): void {
  const row: Row = { kind: "accuse", accused: "a" as NodeId, incarnation };
  const { wallMs } = stores.moment();
  stores.at(index).amend(new Map([["accuse/a", row]]), { wallMs, incarnation: 0 });
}

function forget(stores: Stores): void {
  stores.submit(0, key, null);
  stores.nowMs += parkedAfterMs + 60_000;
  stores.at(0).tidy(stores.moment());
  assert.equal(stores.at(0).register(key), undefined, "its tombstone is forgotten");
}

/** The third has only what a backup had, of which the first has deleted everything since. */
function withOldBackup(rows: readonly { table: string; key: string; value: Uint8Array }[]): Stores {
  const stores = new Stores(3);
  stores.submit(0, key, scale("default/web", 1));
  const disk = stores.loaded([...backupOf(stores, 0), ...rows]);
  forget(stores);
  stores.stores.set(stores.ids[2] as NodeId, stores.open(identity(3), disk));
  assert.ok(isThere(stores, 2));
  return stores;
}

for (const [name, begin] of orders) {
  test(`what others have deleted and forgotten since does not come back out of a backup ${name}`, () => {
    const stores = withOldBackup([unsettled]);
    if (begin === 0) meet(stores, 2, 0);
    else meet(stores, 0, 2);
    assert.deepEqual([isThere(stores, 0), isThere(stores, 2)], [false, false]);
    assertEqual(stores, 0, 2);
    // From now on its memory counts like anybody's.
    stores.submit(2, key, scale("default/web", 2));
    meet(stores, 0, 2);
    assert.ok(isThere(stores, 0));
  });

  test(`who joined after a restoration is no witness against it, of a node ${name}`, () => {
    const stores = withOldBackup([unsettled]);
    if (begin === 0) meet(stores, 2, 1);
    else meet(stores, 1, 2);
    assert.deepEqual([isThere(stores, 1), isThere(stores, 2)], [true, true]);
    assertEqual(stores, 1, 2);
  });

  test(`a long absence does not bring back what was deleted meanwhile, of a node ${name}`, () => {
    const stores = new Stores(2);
    stores.submit(0, key, scale("default/web", 1));
    say(stores, 1, 1);
    stores.compare(0, 1);
    const writes = stores.at(1).takeWrites();
    forget(stores);
    // However often it restarts before it hears of anybody.
    for (let restart = 1; restart <= 2; restart++) {
      const store = stores.open(identity(2), stores.loaded(writes));
      stores.stores.set(stores.ids[1] as NodeId, store);
      say(stores, 1, 1 + restart);
      writes.push(...store.takeWrites());
      stores.nowMs += 1000;
    }
    if (begin === 0) meet(stores, 1, 0);
    else meet(stores, 0, 1);
    assert.deepEqual([isThere(stores, 0), isThere(stores, 1)], [false, false]);
    assertEqual(stores, 0, 1);
  });
}

test("a backup that counts brings back what was forgotten: that is why old ones do not", () => {
  const stores = withOldBackup([]);
  meet(stores, 0, 2);
  assert.ok(isThere(stores, 0));
});

test("a restored node has to take state first after a restart as well", () => {
  const stores = withOldBackup([unsettled]);
  say(stores, 2, 1);
  const rows = [...backupOf(stores, 2), unsettled, ...stores.at(2).takeWrites()];
  const store = stores.open(identity(3), stores.loaded(rows));
  stores.stores.set(stores.ids[2] as NodeId, store);
  meet(stores, 0, 2);
  assert.deepEqual([isThere(stores, 0), isThere(stores, 2)], [false, false]);
});
