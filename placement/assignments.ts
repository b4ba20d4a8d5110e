/**
 * Replica → node, as an immutable map whose next version shares what did not change: moving 30 of
 * 30,000 replicas copies about 30 small chunks. The order of iteration depends on the content
 * alone, never on history, so that two agents with equal placements act in equal order.
 *
 * A flat cousin of the hash array mapped trie: Bagwell, "Ideal Hash Trees", EPFL 2001.
 */

import { compareIds, type NodeId, type ReplicaId } from "../model/ids.ts";

/** About 7 entries each at 30,000 replicas: cheap to make anew, cheap to walk when empty. */
const chunkCount = 4096;

type Chunk = ReadonlyMap<ReplicaId, NodeId>;
const noEntries: Chunk = new Map();

export class Assignments implements ReadonlyMap<ReplicaId, NodeId> {
  static readonly empty = new Assignments(new Array<Chunk>(chunkCount).fill(noEntries), 0);
  readonly size: number;
  readonly #chunks: readonly Chunk[];

  private constructor(chunks: readonly Chunk[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  get(replica: ReplicaId): NodeId | undefined {
    return this.#chunks[chunkOf(replica)]?.get(replica);
  }

  has(replica: ReplicaId): boolean {
    return this.#chunks[chunkOf(replica)]?.has(replica) ?? false;
  }

  /** The next version, or this one when nothing changes; an undefined node removes the replica. */
  with(changes: ReadonlyMap<ReplicaId, NodeId | undefined>): Assignments {
    const edits = new Map<number, [ReplicaId, NodeId][]>();
    for (const [replica, node] of changes) {
      const index = chunkOf(replica);
      if (this.#chunks[index]?.get(replica) === node) continue;
      const come = edits.get(index) ?? [];
      if (come.length === 0) edits.set(index, come);
      if (node !== undefined) come.push([replica, node]);
    }
    if (edits.size === 0) return this;
    const chunks = [...this.#chunks];
    let { size } = this;
    for (const [index, come] of edits) {
      const old = chunks[index] as Chunk;
      const entries = [...old].filter(([replica, node]) => {
        return !changes.has(replica) || changes.get(replica) === node;
      });
      entries.push(...come);
      entries.sort(([left], [right]) => compareIds(left, right));
      chunks[index] = new Map(entries);
      size += entries.length - old.size;
    }
    return new Assignments(chunks, size);
  }

  *entries(): Generator<[ReplicaId, NodeId], undefined> {
    for (const chunk of this.#chunks) {
      if (chunk.size > 0) yield* chunk;
    }
  }

  *keys(): Generator<ReplicaId, undefined> {
    for (const [replica] of this.entries()) yield replica;
  }

  *values(): Generator<NodeId, undefined> {
    for (const [, node] of this.entries()) yield node;
  }

  [Symbol.iterator](): Generator<[ReplicaId, NodeId], undefined> {
    return this.entries();
  }

  forEach(
    visit: (node: NodeId, replica: ReplicaId, map: ReadonlyMap<ReplicaId, NodeId>) => void,
  ): void {
    for (const [replica, node] of this.entries()) visit(node, replica, this);
  }
}

/** FNV-1a, folded. */
function chunkOf(replica: ReplicaId): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < replica.length; at++) {
    hash = Math.imul(hash ^ replica.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 16)) & (chunkCount - 1);
}
