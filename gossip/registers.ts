/**
 * All registers of a node, with what anti-entropy needs of them: 256 buckets by revision id, each
 * summed up as the exclusive or of the ids in it. Equal sets of revisions have equal sums, and
 * one change touches one bucket.
 *
 * Ids are truncated SHA-256 hashes of signed bytes: only somebody who may write could try to
 * make two different sets collide, and would gain a delay until the next write.
 *
 * A retired register (its tombstone is old) is kept and found, but is in no sum: nodes that have
 * purged it already and nodes that have not are equal.
 */

import { fromString } from "uint8arrays/from-string";
import { mergeRevision, type Register, type Revision } from "../crdt/register.ts";

const bucketCount = 256;
const sumBytes = 16;

export class Registers {
  readonly #registers = new Map<string, Register>();
  readonly #revisions = new Map<string, Revision>();
  readonly #sums = new Uint8Array(bucketCount * sumBytes);
  readonly #retired = new Set<string>();
  #keys: readonly string[] | undefined;

  get(key: string): Register | undefined {
    return this.#registers.get(key);
  }

  find(id: string): Revision | undefined {
    return this.#revisions.get(id);
  }

  has(id: string): boolean {
    return this.#revisions.has(id);
  }

  /** Sorted. */
  keys(prefix: string): readonly string[] {
    this.#keys ??= [...this.#registers.keys()].sort();
    return prefix === "" ? this.#keys : this.#keys.filter((key) => key.startsWith(prefix));
  }

  /** What came in and what fell out; undefined when nothing changed. */
  merge(revision: Revision): { readonly dropped: readonly Revision[] } | undefined {
    const before = this.#registers.get(revision.key);
    const after = mergeRevision(before, revision);
    if (after === before) return undefined;
    this.unretire(revision.key);
    if (before === undefined) this.#keys = undefined;
    this.#registers.set(revision.key, after);
    this.#add(revision);
    const dropped = (before?.revisions ?? []).filter((old) => !after.revisions.includes(old));
    for (const old of dropped) this.#remove(old);
    return { dropped };
  }

  isRetired(key: string): boolean {
    return this.#retired.has(key);
  }

  retire(key: string): void {
    if (this.#retired.has(key) || !this.#registers.has(key)) return;
    this.#retired.add(key);
    for (const { id } of this.#registers.get(key)?.revisions ?? []) this.#fold(id);
  }

  unretire(key: string): void {
    if (!this.#retired.delete(key)) return;
    for (const { id } of this.#registers.get(key)?.revisions ?? []) this.#fold(id);
  }

  /** Forgets a whole register: a tombstone that everyone has acknowledged. */
  purge(key: string): readonly Revision[] {
    const register = this.#registers.get(key);
    if (register === undefined) return [];
    this.unretire(key);
    this.#registers.delete(key);
    this.#keys = undefined;
    for (const revision of register.revisions) this.#remove(revision);
    return register.revisions;
  }

  sums(): Uint8Array {
    return this.#sums;
  }

  idsIn(bucket: number): string[] {
    return [...this.#revisions.values()]
      .filter(({ id, key }) => bucketOf(id) === bucket && !this.#retired.has(key))
      .map(({ id }) => id)
      .sort();
  }

  /** Buckets whose sums differ from those of a peer. */
  differing(sums: Uint8Array): number[] {
    const buckets: number[] = [];
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const from = bucket * sumBytes;
      for (let at = from; at < from + sumBytes; at++) {
        if (this.#sums[at] === sums[at]) continue;
        buckets.push(bucket);
        break;
      }
    }
    return buckets;
  }

  #add(revision: Revision): void {
    this.#revisions.set(revision.id, revision);
    this.#fold(revision.id);
  }

  #remove(revision: Revision): void {
    this.#revisions.delete(revision.id);
    this.#fold(revision.id);
  }

  #fold(id: string): void {
    const bytes = fromString(id, "base16");
    const from = bucketOf(id) * sumBytes;
    for (let index = 0; index < sumBytes; index++) {
      this.#sums[from + index] = (this.#sums[from + index] ?? 0) ^ (bytes[index] ?? 0);
    }
  }
}

function bucketOf(id: string): number {
  return Number.parseInt(id.slice(0, 2), 16);
}
