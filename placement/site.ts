/** A node as the placer remembers it: what never changes about it is computed once. */

import type { NodeId, ReplicaId } from "../model/ids.ts";
import type { NodeCandidate } from "./input.ts";
import { type Candidate, digest } from "./rendezvous.ts";
import { Room } from "./room.ts";

export type Site = Candidate & {
  readonly id: NodeId;
  /** Small and dense, for arrays by site; reused after the node has gone. */
  readonly index: number;
  node: NodeCandidate;
  weight: number;
  /** What is left after everything that was placed here and can be in another's way. */
  room: Room;
  /** Replicas that stay here because they are here. */
  readonly kept: Set<ReplicaId>;
};

export function makeSite(node: NodeCandidate, index: number): Site {
  const { node: id, weight } = node;
  return { id, digest: digest(id), index, node, weight, room: new Room(node), kept: new Set() };
}

/** Equal in everything that placement looks at. */
export function isSameNode(left: NodeCandidate, right: NodeCandidate): boolean {
  return (
    left === right ||
    (left.node === right.node &&
      left.alive === right.alive &&
      left.availability === right.availability &&
      left.weight === right.weight &&
      left.name === right.name &&
      left.role === right.role &&
      left.os === right.os &&
      left.arch === right.arch &&
      left.cpuMilli === right.cpuMilli &&
      left.memoryBytes === right.memoryBytes &&
      haveSameEngines(left.engines, right.engines) &&
      haveSameLabels(left.labels, right.labels))
  );
}

function haveSameEngines(left: NodeCandidate["engines"], right: NodeCandidate["engines"]): boolean {
  if (left === right) return true;
  return left.length === right.length && left.every((engine, index) => engine === right[index]);
}

function haveSameLabels(left: NodeCandidate["labels"], right: NodeCandidate["labels"]): boolean {
  if (left === right) return true;
  let count = 0;
  for (const key in left) {
    if (left[key] !== right[key]) return false;
    count++;
  }
  return Object.keys(right).length === count;
}
