import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareIds,
  isName,
  replicaId,
  serviceId,
  splitReplicaId,
  splitServiceId,
} from "../../model/ids.ts";

const names: readonly [name: string, isOne: boolean][] = [
  ["web", true],
  ["a", true],
  ["0", true],
  ["a-b--c", true],
  ["x".repeat(63), true],
  ["x".repeat(64), false],
  ["", false],
  ["-a", false],
  ["a-", false],
  ["Web", false],
  ["a.b", false],
  ["a_b", false],
  ["a/b", false],
  ["a\n", false],
  ["é", false],
];

for (const [name, isOne] of names) {
  test(`${JSON.stringify(name)} is ${isOne ? "a" : "no"} name`, () => {
    assert.equal(isName(name), isOne);
  });
}

const name = fc.stringMatching(/^[a-z0-9]{1,5}$/);

test("ids are put together and taken apart without loss", () => {
  fc.assert(
    fc.property(
      name,
      name,
      fc.oneof(fc.integer({ min: 1 }), fc.stringMatching(/^[A-Za-z0-9]{1,9}$/)),
      (space, one, slot) => {
        const service = serviceId(space, one);
        assert.deepEqual(splitServiceId(service), { namespace: space, name: one });
        const replica = replicaId(service, slot);
        assert.deepEqual(splitReplicaId(replica), { service, slot: String(slot) });
      },
    ),
  );
});

test("ids are ordered by code unit, in nobody's language", () => {
  const sorted = ["a/B", "a/a", "a/b", "a/é", "b/a"];
  assert.deepEqual(sorted.toReversed().sort(compareIds), sorted);
  assert.equal(compareIds("a", "a"), 0);
});
