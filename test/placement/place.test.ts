import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ReplicaId, RevisionId, ServiceId } from "../../model/ids.ts";
import type { NodeCandidate } from "../../placement/input.ts";
import { Placer } from "../../placement/placer.ts";
import { loads, moved, placeBoth, running, shown } from "./both.ts";
import { candidate, container, hostPort, question, wanted } from "./samples.ts";

const zoned = (zones: string): NodeCandidate[] =>
  [...zones].map((zone, index) => candidate(`n${index}`, { labels: { zone } }));
const nodes = (count: number): NodeCandidate[] => zoned("x".repeat(count));
const services = (count: number, replicas: number) =>
  Array.from({ length: count }, (_, index) => wanted(`d/s${index}`, replicas));
const rejected = (input: Parameters<typeof placeBoth>[0], service = "d/web") =>
  placeBoth(input).unplaced.get(service as ServiceId);

test("replicas are dealt over zones before they share one, and over nodes within it", () => {
  for (let index = 0; index < 20; index++) {
    const service = wanted(`d/s${index}`, 4);
    const placed = placeBoth(question(zoned("aaaaaabc"), [service]));
    const used = [...placed.assignments.values()];
    assert.equal(new Set(used).size, 4, "four nodes for four replicas");
    assert.ok(used.includes("n6" as NodeId) && used.includes("n7" as NodeId), "every zone");
  }
});

test("a spread preference goes over what it names, outermost first", () => {
  const racks = ["a1", "a1", "a2", "b1", "b1"].map((place, index) => {
    return candidate(`n${index}`, { labels: { hall: place[0] as string, rack: place } });
  });
  const spread = ["node.labels.hall", "node.labels.rack"];
  for (let index = 0; index < 20; index++) {
    const service = wanted(`d/s${index}`, 3, { placement: { spread } });
    const placed = [...placeBoth(question(racks, [service])).assignments.values()];
    const halls = placed.map((node) => racks.find((rack) => rack.node === node)?.labels.hall);
    assert.ok(halls.includes("a") && halls.includes("b"));
    if (halls.filter((hall) => hall === "a").length === 2) {
      assert.ok(placed.includes("n2" as NodeId), "the second in hall a goes to the other rack");
    }
  }
});

test("more replicas than nodes go round again, as evenly as can be", () => {
  const zones = loads(placeBoth(question(zoned("aab"), [wanted("d/web", 11)])));
  assert.ok(Math.abs((zones.n0 as number) - (zones.n1 as number)) <= 1);
  assert.ok([5, 6].includes(zones.n2 as number), "one of two zones has half of eleven");
  const even = placeBoth(question(nodes(4), [wanted("d/web", 42)]));
  assert.deepEqual(
    Object.values(loads(even)).sort((a, b) => a - b),
    [10, 10, 11, 11],
  );
});

test("when a node leaves, nothing moves but what was there", () => {
  const everyone = zoned("abcabcabca");
  const input = question(everyone, services(60, 3));
  const placer = new Placer();
  const before = placeBoth(input, placer);
  placeBoth({ ...input, incumbents: running(before) }, placer);
  for (const lost of ["n0", "n4", "n9"] as NodeId[]) {
    const left = everyone.filter(({ node }) => node !== lost);
    const incumbents = running(before).filter(({ node }) => node !== lost);
    const after = placeBoth({ ...input, nodes: left, incumbents }, placer);
    const was = [...before.assignments].filter(([, node]) => node === lost).map(([one]) => one);
    assert.ok(was.length > 0);
    assert.deepEqual(moved(before, after).sort(), was.sort());
    assert.equal(after.assignments.size, before.assignments.size);
  }
});

test("when a node joins, nothing moves that runs", () => {
  const input = question(zoned("abcabc"), services(60, 3));
  const before = placeBoth(input);
  const joined = [...input.nodes, candidate("n6", { labels: { zone: "d" } })];
  const after = placeBoth({ ...input, nodes: joined, incumbents: running(before) });
  assert.deepEqual(moved(before, after), []);
});

test("without incumbents a join takes only what the new node wins", () => {
  const input = question(nodes(9), services(200, 1));
  const before = placeBoth(input);
  const after = placeBoth({ ...input, nodes: nodes(10) });
  const gone = moved(before, after);
  assert.ok(gone.length > 5 && gone.length < 45, `${gone.length} of 200 moved`);
  for (const replica of gone) assert.equal(after.assignments.get(replica as ReplicaId), "n9");
});

test("a node gets replicas in proportion to its weight", () => {
  const weights = [1, 2, 5];
  const unequal = weights.map((weight, index) => candidate(`n${index}`, { weight }));
  const placed = loads(placeBoth(question(unequal, services(800, 1))));
  const shares = weights.map((_, index) => (placed[`n${index}`] ?? 0) / 800);
  const off = shares.map((share, index) => Math.abs(share - (weights[index] as number) / 8));
  assert.ok(Math.max(...off) < 0.05, shares.join(" "));
});

test("of two incumbents the lower rank stays, then the lower node id", () => {
  const replica = "d/web.1" as ReplicaId;
  const [n0, n1] = ["n0", "n1"] as [NodeId, NodeId];
  const input = question(nodes(2), [wanted("d/web", 1)]);
  const hold = (first: number, second: number) =>
    shown(
      placeBoth({
        ...input,
        incumbents: [
          { replica, node: n0, rank: first },
          { replica, node: n1, rank: second },
        ],
      }),
    );
  assert.equal(hold(1, 0), "web.1 n1");
  assert.equal(hold(0, 1), "web.1 n0");
  assert.equal(hold(1, 1), "web.1 n0");
});

test("a paused node keeps what it runs and gets nothing; a drained one keeps nothing", () => {
  const incumbents = [{ replica: "d/web.1" as ReplicaId, node: "n0" as NodeId, rank: 0 }];
  const with0 = (availability: NodeCandidate["availability"]) => {
    const [, ...others] = nodes(2);
    const asked = [candidate("n0", { availability, labels: { zone: "x" } }), ...others];
    return shown(placeBoth(question(asked, [wanted("d/web", 2)], { incumbents })));
  };
  assert.equal(with0("pause"), "web.1 n0, web.2 n1");
  assert.equal(with0("drain"), "web.1 n1, web.2 n1");
});

test("a replica that stays waits for its node while that is down; another moves", () => {
  const incumbents = [{ replica: "d/web.1" as ReplicaId, node: "n0" as NodeId, rank: 0 }];
  const asked = [candidate("n0", { alive: false }), candidate("n1")];
  const input = question(asked, [wanted("d/web", 1)], { incumbents });
  const stay = new Set(["d/web" as ServiceId]);
  assert.equal(shown(placeBoth({ ...input, stay })), "web.1 n0");
  assert.equal(shown(placeBoth(input)), "web.1 n1");
});

test("a node's refusal counts for one revision of one replica", () => {
  const refusal = {
    replica: "d/web.1" as ReplicaId,
    revision: "0".repeat(32) as RevisionId,
    node: "n0" as NodeId,
    reason: "no such image",
  };
  const input = question(nodes(1), [wanted("d/web", 2)]);
  assert.equal(shown(placeBoth({ ...input, refusals: [refusal] })), "web.2 n0");
  const other = { ...refusal, revision: "1".repeat(32) as RevisionId };
  assert.equal(shown(placeBoth({ ...input, refusals: [other] })), "web.1 n0, web.2 n0");
});

test("a refusal sends the replica down the rank, and moves no other", () => {
  const input = question(nodes(5), [wanted("d/web", 3)]);
  const before = placeBoth(input);
  const incumbents = running(before).filter(({ replica }) => replica !== "d/web.2");
  const node = before.assignments.get("d/web.2" as ReplicaId) as NodeId;
  const revision = "0".repeat(32) as RevisionId;
  const refusals = [{ replica: "d/web.2" as ReplicaId, revision, node, reason: "" }];
  const after = placeBoth({ ...input, incumbents, refusals });
  assert.deepEqual(moved(before, after), ["d/web.2"]);
  assert.equal(after.assignments.size, 3);
});

test("a global service runs once on every node that is eligible, and explains the others", () => {
  const asked = [
    candidate("n0"),
    candidate("n1", { labels: { disk: "ssd" } }),
    candidate("n2", { availability: "drain" }),
  ];
  const everywhere = wanted("d/web", 1, { mode: "global" });
  assert.equal(shown(placeBoth(question(asked, [everywhere]))), "web.n0 n0, web.n1 n1");
  const constraints = [{ key: "node.labels.disk", operator: "==", value: "nvme" } as const];
  const nowhere = wanted("d/web", 1, { mode: "global", placement: { constraints } });
  assert.deepEqual(rejected(question(asked, [nowhere])), {
    replicas: 0,
    rejections: { availability: 1, constraints: 2 },
  });
});

test("a node that is full refuses; higher priority, then age, takes the room", () => {
  const cpu = (cpuReservationMilli: number) => ({ resources: { cpuReservationMilli } });
  const small = [candidate("n0", { cpuMilli: 1000 })];
  const first = wanted("d/old", 1, cpu(600), 1);
  const second = wanted("d/new", 1, cpu(600), 2);
  assert.equal(shown(placeBoth(question(small, [second, first]))), "old.1 n0");
  const urgent = wanted("d/new", 1, { ...cpu(600), placement: { priority: 1 } }, 2);
  assert.equal(shown(placeBoth(question(small, [first, urgent]))), "new.1 n0");
  const incumbents = [{ replica: "d/old.1" as ReplicaId, node: "n0" as NodeId, rank: 0 }];
  const kept = placeBoth(question(small, [first, urgent], { incumbents }));
  assert.equal(shown(kept), "old.1 n0", "who runs already is not turned out");
});

test("what does not fit anywhere says why, each node by its first refusal", () => {
  const asked = [
    candidate("n0", { alive: false }),
    candidate("n1", { availability: "pause" }),
    candidate("n2", { engines: ["process"] }),
    candidate("n3", { arch: "arm64" }),
    candidate("n4", { labels: { disk: "hdd" } }),
    candidate("n5", { labels: { disk: "ssd" }, memoryBytes: 1 }),
    candidate("n6", { labels: { disk: "ssd" } }),
    candidate("n7", { labels: { disk: "ssd" } }),
    candidate("n8", { labels: { disk: "ssd" } }),
  ];
  const revision = "0".repeat(32) as RevisionId;
  const volume = { kind: "volume", source: "data", target: "/d", readOnly: false } as const;
  const picky = wanted("d/web", 1, {
    workload: { ...container, platform: "linux/amd64", mounts: [volume] },
    ports: [hostPort(80)],
    resources: { memoryReservationBytes: 2 },
    placement: { constraints: [{ key: "node.labels.disk", operator: "==", value: "ssd" }] },
  });
  const busy = wanted("d/front", 1, {
    ports: [hostPort(80)],
    placement: { constraints: [{ key: "node.id", operator: "==", value: "n6" }] },
  });
  const input = question(asked, [picky, { ...busy, createdAtMs: 0 }], {
    refusals: [
      { replica: "d/web.1" as ReplicaId, revision, node: "n7" as NodeId, reason: "" },
      { replica: "d/web.1" as ReplicaId, revision, node: "n8" as NodeId, reason: "" },
    ],
  });
  const fixed = { down: 1, availability: 1, engine: 1, platform: 1, constraints: 1 };
  const open = { "no-fit": 2, resources: 1, "host-ports": 1 };
  assert.deepEqual(rejected(input), { replicas: 1, rejections: { ...fixed, ...open } });
  const pinned = new Map([["data", "n7" as NodeId]]);
  const elsewhere = { volume: 3, "no-fit": 1 };
  assert.deepEqual(rejected({ ...input, pinned })?.rejections, { ...fixed, ...elsewhere });
});

test("no more than so many replicas share a node; the rest is counted", () => {
  const crowded = wanted("d/web", 7, { placement: { maxPerNode: 2 } });
  const placed = placeBoth(question(nodes(3), [crowded]));
  assert.deepEqual(loads(placed), { n0: 2, n1: 2, n2: 2 });
  assert.deepEqual(placed.unplaced.get("d/web" as ServiceId), {
    replicas: 1,
    rejections: { "max-per-node": 3 },
  });
});

test("a mesh without nodes explains nothing and throws nothing", () => {
  const empty = rejected(question([], [wanted("d/web", 2)]));
  assert.deepEqual(empty, { replicas: 2, rejections: {} });
});

test("the order of lists does not matter", () => {
  const input = question(zoned("abcab"), services(12, 3));
  const incumbents = running(placeBoth(input)).filter((_, index) => index % 3 > 0);
  const once = placeBoth({ ...input, incumbents });
  const turned = placeBoth({
    ...input,
    nodes: input.nodes.toReversed(),
    wanted: input.wanted.toReversed(),
    incumbents: incumbents.toReversed(),
  });
  assert.equal(shown(turned), shown(once));
});
