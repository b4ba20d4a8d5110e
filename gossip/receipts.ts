/**
 * Which peers have said that they have what an operator wrote here: for the answer to the write.
 */

import { hex, sha256 } from "../crdt/hash.ts";

/** Writes that are still worth counting for; older ones are forgotten. */
const kept = 256;

export class Receipts {
  readonly #peers = new Map<string, Set<string>>();

  /** A fact's id; revisions carry theirs. */
  static idOf(fact: Uint8Array): string {
    return hex(sha256(fact));
  }

  expect(ids: readonly string[]): void {
    for (const id of ids) this.#peers.set(id, new Set());
    for (const id of [...this.#peers.keys()].slice(0, -kept)) this.#peers.delete(id);
  }

  note(peer: string, ids: readonly string[]): void {
    for (const id of ids) this.#peers.get(id)?.add(peer);
  }

  /** Peers that have all of them. */
  count(ids: readonly string[]): number {
    const [first, ...others] = ids.map((id) => this.#peers.get(id) ?? new Set<string>());
    if (first === undefined) return 0;
    return [...first].filter((peer) => others.every((peers) => peers.has(peer))).length;
  }
}
