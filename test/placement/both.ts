/** Asks the plain statement and the placer with memory, which must agree. */

import assert from "node:assert/strict";
import type { Incumbent, Placement, PlacementInput } from "../../placement/input.ts";
import { place } from "../../placement/place.ts";
import { Placer } from "../../placement/placer.ts";
import { plain } from "./random-mesh.ts";

export function placeBoth(input: PlacementInput, placer = new Placer()): Placement {
  const placed = placer.place(input);
  assert.deepEqual(plain(placed), plain(place(input)));
  return placed;
}

/** "web.1 n2, web.2 n1": what is placed, sorted. */
export function shown({ assignments }: Placement): string {
  const lines = [...assignments].map(([replica, node]) => `${replica.split("/")[1]} ${node}`);
  return lines.sort().join(", ");
}

/** Everything runs where it was placed. */
export function running({ assignments }: Placement): Incumbent[] {
  return [...assignments].map(([replica, node]) => ({ replica, node, rank: 0 }));
}

/** Replicas that are on another node than before, or on none. */
export function moved(before: Placement, after: Placement): string[] {
  return [...before.assignments]
    .filter(([replica, node]) => after.assignments.get(replica) !== node)
    .map(([replica]) => replica);
}

/** How many replicas each node has. */
export function loads({ assignments }: Placement): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const node of assignments.values()) counts[node] = (counts[node] ?? 0) + 1;
  return counts;
}
