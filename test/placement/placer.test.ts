import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RevisionId } from "../../model/ids.ts";
import type { Placement } from "../../placement/input.ts";
import { place } from "../../placement/place.ts";
import { Placer } from "../../placement/placer.ts";
import { loads, placeBoth, running } from "./both.ts";
import { anyHistory, plain, RandomMesh } from "./random-mesh.ts";
import { candidate, question, wanted } from "./samples.ts";

const zeros = "0".repeat(32) as RevisionId;

test("whatever befalls a mesh, the placer with memory answers as the plain statement does", () => {
  const property = fc.property(anyHistory, (history) => {
    const mesh = new RandomMesh();
    const placer = new Placer();
    let placed = placer.place(mesh.input());
    for (const steps of history) {
      for (const step of steps) mesh.take(step, placed);
      placed = placer.place(mesh.input());
      assert.deepEqual(plain(placed), plain(place(mesh.input())));
    }
  });
  fc.assert(property, { numRuns: 1500 });
});

test("an answer stays as it was when later questions have other answers", () => {
  const nodes = ["n0", "n1", "n2"].map((id) => candidate(id));
  const placer = new Placer();
  const first = placeBoth(question(nodes, [wanted("d/web", 3)]), placer);
  const copy = plain(first);
  placeBoth(question(nodes.slice(1), [wanted("d/web", 1)]), placer);
  assert.deepEqual(plain(first), copy);
});

test("nothing new is the same answer, although every list is made afresh", () => {
  const placer = new Placer();
  const service = wanted("d/web", 3);
  const ask = () =>
    placer.place(
      question([candidate("n0"), candidate("n1")], [{ ...service }], { stay: new Set() }),
    );
  assert.equal(ask(), ask());
});

test("a mesh that changes all over at once is placed anew", () => {
  const nodes = Array.from({ length: 40 }, (_, index) => {
    return candidate(`n${index}`, { labels: { zone: String(index % 3) }, cpuMilli: 1000 });
  });
  const cpu = { resources: { cpuReservationMilli: 400 } };
  const services = Array.from({ length: 12 }, (_, index) => {
    return wanted(`d/s${index}`, 4, index % 2 === 0 ? cpu : {});
  });
  const placer = new Placer();
  const first = placeBoth(question(nodes, services), placer);
  const relabelled = nodes.map((node, index) => {
    return {
      ...node,
      labels: { zone: String(index % 7) },
      availability: index % 5 ? "active" : "drain",
    } as const;
  });
  const incumbents = running(first);
  const second = placeBoth(question(relabelled, services, { incumbents }), placer);
  assert.equal(second.assignments.size, 48);
  assert.ok(!Object.keys(loads(second)).some((node) => Number(node.slice(1)) % 5 === 0));
  placeBoth(question(nodes.slice(0, 10), services, { incumbents }), placer);
});

test("more kinds of services than are remembered are placed none the worse", () => {
  const nodes = ["n0", "n1", "n2"].map((id) => candidate(id, { labels: { name: id } }));
  const services = Array.from({ length: 300 }, (_, index) => {
    const constraint = { key: "node.labels.name", operator: "!=", value: `n${index % 3}` } as const;
    const odd = { ...constraint, value: `other-${index}` };
    return wanted(`d/s${index}`, 2, {
      placement: { constraints: [constraint, odd], spread: [`node.labels.k${index}`] },
    });
  });
  const placer = new Placer();
  const first = placeBoth(question(nodes, services), placer);
  assert.equal(first.assignments.size, 600);
  const lost = question(nodes.slice(1), services, { incumbents: running(first) });
  placeBoth(lost, placer);
});

test("sites that were passed over in haste are found when they are needed", () => {
  const nodes = Array.from({ length: 12 }, (_, index) => {
    return candidate(`n${index}`, { labels: { zone: String(index % 3) } });
  });
  const refused = (service: string, placed: Placement) =>
    [...placed.assignments]
      .filter(([replica]) => replica.startsWith(`${service}.`))
      .map(([replica, node]) => ({ replica, node, revision: zeros, reason: "" }));
  for (let index = 0; index < 60; index++) {
    const service = wanted(`d/s${index}`, 1 + (index % 15));
    const placer = new Placer();
    const first = placeBoth(question(nodes, [service]), placer);
    placeBoth(question(nodes, [service], { refusals: refused(`d/s${index}`, first) }), placer);
  }
});

test("thousands of replicas of one service are dealt evenly, and soon", () => {
  const nodes = Array.from({ length: 50 }, (_, index) => {
    return candidate(`n${index}`, { labels: { zone: String(index % 5) } });
  });
  const placed = new Placer().place(question(nodes, [wanted("d/web", 20_000)]));
  assert.deepEqual(new Set(Object.values(loads(placed))), new Set([400]));
});
