/** The parts of the placer's memory, each against a plain twin. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareIds, type NodeId, type ReplicaId } from "../../model/ids.ts";
import { Assignments } from "../../placement/assignments.ts";
import { difference } from "../../placement/difference.ts";
import { Holdings } from "../../placement/holdings.ts";
import type { Incumbent } from "../../placement/input.ts";
import { Room } from "../../placement/room.ts";
import { makeSite } from "../../placement/site.ts";
import { Sites } from "../../placement/sites.ts";
import { Spread } from "../../placement/spread.ts";
import { candidate } from "./samples.ts";

const replica = fc.integer({ min: 0, max: 400 }).map((index) => `d/s.${index}` as ReplicaId);
const node = fc.constantFrom("n0", "n1", "n2").map((name) => name as NodeId);
const edit = fc.array(fc.tuple(replica, fc.option(node, { nil: undefined })), { maxLength: 60 });

test("assignments are a map, whatever the edits, and every version stays as it was", () => {
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 8 }), (edits) => {
      const versions: [Assignments, Map<ReplicaId, NodeId>][] = [[Assignments.empty, new Map()]];
      for (const changes of edits) {
        const [last, twin] = versions.at(-1) as [Assignments, Map<ReplicaId, NodeId>];
        const next = new Map(twin);
        for (const [key, value] of changes) {
          if (value === undefined) next.delete(key);
          else next.set(key, value);
        }
        versions.push([last.with(new Map(changes)), next]);
      }
      for (const [assignments, twin] of versions) {
        assert.deepEqual(new Map(assignments), twin);
        assert.equal(assignments.size, twin.size);
        for (const [key, value] of twin) assert.equal(assignments.get(key), value);
      }
    }),
  );
});

test("assignments of equal content are walked in equal order, and no change is no new version", () => {
  fc.assert(
    fc.property(edit, fc.array(edit, { maxLength: 3 }), (final, detour) => {
      const wanted = new Map(final.filter(([, value]) => value !== undefined));
      let long = Assignments.empty;
      for (const changes of detour) long = long.with(new Map(changes));
      const back = new Map<ReplicaId, NodeId | undefined>(wanted);
      for (const key of long.keys()) if (!back.has(key)) back.set(key, undefined);
      long = long.with(back);
      assert.deepEqual([...long], [...Assignments.empty.with(wanted)]);
      assert.equal(long.with(wanted), long);
    }),
  );
});

const items = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), value: fc.nat(1) }));
type Item = { readonly key: string; readonly value: number };
const meaning = {
  isSame: (left: Item, right: Item) => left.key === right.key && left.value === right.value,
  keyOf: ({ key }: Item) => key,
};

function multiset(list: readonly Item[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { key, value } of list) {
    counts.set(`${key}${value}`, (counts.get(`${key}${value}`) ?? 0) + 1);
  }
  return counts;
}

test("a difference takes one list to the other, and names nothing that is in both", () => {
  fc.assert(
    fc.property(items, items, (last, next) => {
      const { gone, come } = difference(last, next, meaning);
      const [before, after] = [multiset(last), multiset(next)];
      const names = new Set([...before.keys(), ...after.keys()]);
      for (const name of names) {
        const grown = (after.get(name) ?? 0) - (before.get(name) ?? 0);
        assert.equal(multiset(come).get(name) ?? 0, Math.max(0, grown), `come ${name}`);
        assert.equal(multiset(gone).get(name) ?? 0, Math.max(0, -grown), `gone ${name}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test("holdings are what came and did not go, best first, by replica and by node", () => {
  const few = fc.record({ replica: fc.constantFrom("d/a.1", "d/a.2"), node, rank: fc.nat(4) });
  const list = fc.array(few, { maxLength: 12 }) as fc.Arbitrary<Incumbent[]>;
  fc.assert(
    fc.property(list, list, fc.boolean(), (first, second, areRanksPositions) => {
      const holdings = new Holdings();
      holdings.update({ gone: [], come: first }, first);
      const kept = first.filter((_, index) => index % 2 === 0);
      const all = [...kept, ...second].map((one, rank) =>
        areRanksPositions ? { ...one, rank } : one,
      );
      const gone = first.filter((_, index) => index % 2 === 1);
      holdings.update({ gone, come: second }, all);
      for (const name of ["d/a.1", "d/a.2"] as ReplicaId[]) {
        const claims = all.filter((one) => one.replica === name);
        claims.sort((left, right) => left.rank - right.rank || compareIds(left.node, right.node));
        const expected = [...new Set(claims.map((one) => one.node))];
        assert.deepEqual(
          holdings.of(name).map((one) => one.node),
          expected,
        );
      }
      for (const name of ["n0", "n1", "n2"] as NodeId[]) {
        const expected = all.filter((one) => one.node === name).map((one) => one.replica);
        assert.deepEqual([...holdings.on(name)].sort(), [...new Set(expected)].sort());
      }
    }),
    { numRuns: 1000 },
  );
});

test("only replicas whose holders stand in another order are named", () => {
  const [one, two] = ["d/a.1", "d/a.2"] as [ReplicaId, ReplicaId];
  const claim = (replica: ReplicaId, holder: string, rank: number) => {
    return { replica, node: holder as NodeId, rank };
  };
  const holdings = new Holdings();
  const before = [claim(one, "n0", 0), claim(one, "n1", 1), claim(two, "n0", 2)];
  holdings.update({ gone: [], come: before }, before);
  const shifted = before.map((incumbent) => ({ ...incumbent, rank: incumbent.rank + 7 }));
  assert.deepEqual(holdings.update({ gone: [], come: [] }, shifted), []);
  const turned = [claim(one, "n1", 0), claim(two, "n0", 1), claim(one, "n0", 2)];
  assert.deepEqual(holdings.update({ gone: [], come: [] }, turned), [one]);
});

test("a node that claims one replica ten thousand times is soon taken in and soon forgotten", () => {
  const holdings = new Holdings();
  const claims = Array.from({ length: 10_000 }, (_, rank) => {
    return { replica: "d/a.1" as ReplicaId, node: "n0" as NodeId, rank };
  });
  holdings.update({ gone: [], come: claims }, claims);
  assert.equal(holdings.of("d/a.1" as ReplicaId).length, 1);
  holdings.update({ gone: claims, come: [] }, []);
  assert.equal(holdings.of("d/a.1" as ReplicaId).length, 0);
  assert.equal(holdings.on("n0" as NodeId).size, 0);
});

test("room gives back exactly what was taken", () => {
  const room = new Room({ cpuMilli: 1000, memoryBytes: 100 });
  const demand = {
    service: "d/a" as never,
    cpuMilli: 600,
    memoryBytes: 0,
    hostPorts: ["80/tcp"],
    maxPerNode: 0,
  };
  room.take(demand);
  assert.equal(room.refuses(demand), "resources");
  assert.equal(room.refuses({ ...demand, cpuMilli: 0 }), "host-ports");
  assert.equal(room.refuses({ ...demand, cpuMilli: 400, hostPorts: [] }), undefined);
  assert.equal(
    room.refuses({ ...demand, cpuMilli: 0, hostPorts: [], maxPerNode: 1 }),
    "max-per-node",
  );
  room.release(demand);
  assert.equal(room.refuses({ ...demand, cpuMilli: 1000, maxPerNode: 1 }), undefined);
  assert.equal(room.refuses({ ...demand, cpuMilli: 1001 }), "resources");
});

test("who asks for nothing fits on a node that has nothing", () => {
  const room = new Room({ cpuMilli: 0, memoryBytes: 0 });
  const demand = {
    service: "d/a" as never,
    cpuMilli: 0,
    memoryBytes: 0,
    hostPorts: [],
    maxPerNode: 0,
  };
  assert.equal(room.refuses(demand), undefined);
});

test("sites share a group at a depth when they share all attributes down to it", () => {
  const labels = [
    { hall: "a", rack: "1" },
    { hall: "a", rack: "2" },
    { hall: "b", rack: "1" },
    { hall: "b" },
  ];
  const sites = labels.map((said, index) => {
    return makeSite(candidate(`n${index}`, { labels: said as Record<string, string> }), index);
  });
  const spread = new Spread(["node.labels.hall", "node.labels.rack", "node.shoe"], sites);
  const [halls, racks, shoes] = spread.groups as [number[], number[], number[]];
  assert.equal(halls[0], halls[1]);
  assert.notEqual(halls[1], halls[2]);
  assert.equal(new Set(racks).size, 4, "rack 1 of hall a is not rack 1 of hall b");
  assert.equal(new Set(shoes).size, 4);
  assert.equal(new Set([...halls, ...racks, ...shoes]).size, 10, "numbers serve one depth each");
});

test("a node whose labels never rest leaves no groups behind", () => {
  const sites = new Sites();
  const labelled = (zone: string) => candidate("n0", { labels: { zone } });
  sites.update({ gone: [], come: [labelled("z0"), candidate("n1")] });
  for (let round = 0; round < 500; round++) {
    sites.update({ gone: [labelled(`z${round}`)], come: [labelled(`z${round + 1}`)] });
    assert.ok(sites.spread(["node.labels.zone"]).size < 30);
  }
});
