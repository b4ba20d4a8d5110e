/**
 * Who watches whom: a node is observed by the few others that rank highest for it by rendezvous
 * hashing, so that everyone knows whose word counts about it without asking.
 *
 * Sources: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM
 * Transactions on Networking 6(1), 1998; fixed observers instead of random ones as in Suresh et
 * al., "Stable and Consistent Membership at Scale with Rapid", USENIX ATC 2018. Nothing of this is
 * ever sent, and it is no part of placement: a mesh may change it between versions.
 */

import { compareIds, type NodeId } from "../model/ids.ts";

/** Five: a majority of three bears two wrong ones, and each node probes five others on average. */
export const observersPerNode = 5;

/** The observers of a node among those given, best first; itself is none of them. */
export function observersOf(node: NodeId, everyone: Iterable<NodeId>): readonly NodeId[] {
  const own = digest(node);
  const best: { readonly id: NodeId; readonly rank: number }[] = [];
  for (const id of everyone) {
    if (id === node) continue;
    const one = { id, rank: mix(own ^ Math.imul(digest(id), 0x9e3779b1)) >>> 0 };
    let at = best.length;
    while (at > 0 && isBetter(one, best[at - 1] as typeof one)) at--;
    if (at < observersPerNode) best.splice(at, 0, one);
    if (best.length > observersPerNode) best.pop();
  }
  return best.map(({ id }) => id);
}

/** The same for a fixed set of nodes, each ranked once: a step asks about everyone. */
export class Observers {
  readonly #everyone: ReadonlySet<NodeId>;
  readonly #known = new Map<NodeId, ReadonlySet<NodeId>>();

  constructor(everyone: Iterable<NodeId>) {
    this.#everyone = new Set(everyone);
  }

  of(node: NodeId): ReadonlySet<NodeId> {
    let observers = this.#known.get(node);
    if (observers === undefined) {
      observers = new Set(observersOf(node, this.#everyone));
      this.#known.set(node, observers);
    }
    return observers;
  }

  isFor(everyone: readonly NodeId[]): boolean {
    return (
      everyone.length === this.#everyone.size && everyone.every((node) => this.#everyone.has(node))
    );
  }
}

type Ranked = { readonly id: NodeId; readonly rank: number };

function isBetter(left: Ranked, right: Ranked): boolean {
  return left.rank > right.rank || (left.rank === right.rank && compareIds(left.id, right.id) < 0);
}

const digests = new Map<NodeId, number>();
/** More ids than a mesh has nodes; beyond it they are hashed again. */
const digestsKept = 4096;

/** FNV-1a over UTF-16 code units. */
function digest(node: NodeId): number {
  const known = digests.get(node);
  if (known !== undefined) return known;
  let hash = 0x811c9dc5;
  for (let at = 0; at < node.length; at++) {
    hash = Math.imul(hash ^ node.charCodeAt(at), 0x01000193);
  }
  hash = mix(hash);
  if (digests.size >= digestsKept) digests.clear();
  digests.set(node, hash);
  return hash;
}

/**
 * The finaliser of MurmurHash3 (Appleby, public domain): every input bit moves every output bit.
 */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
