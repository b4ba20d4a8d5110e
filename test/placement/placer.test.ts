import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { place } from "../../placement/place.ts";
import { Placer } from "../../placement/placer.ts";
import { anyHistory, plain, RandomMesh } from "./random-mesh.ts";

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
