/**
 * What a node has to tell since it last told: changes of its own document, and what operators
 * signed and handed to it. Several changes of one moment leave as one delta under one head.
 */

import { encode } from "../crdt/codec.ts";
import type { NodeDelta } from "../crdt/node-document.ts";
import { broadcastBytesMax, writeFrame } from "./frames.ts";

export class Outbox {
  #base: NodeDelta["base"] | undefined;
  #head: Uint8Array | undefined;
  readonly #rows = new Map<string, Uint8Array | null>();
  #revisions: Uint8Array[] = [];
  #facts: Uint8Array[] = [];
  #proofs: (readonly [Uint8Array, Uint8Array])[] = [];

  addDelta({ head, base, rows }: NodeDelta): void {
    if (this.#head === undefined) this.#base = base;
    this.#head = head;
    for (const [key, value] of rows) this.#rows.set(key, value);
  }

  addRevision(bytes: Uint8Array): void {
    this.#revisions.push(bytes);
  }

  addFact(bytes: Uint8Array): void {
    this.#facts.push(bytes);
  }

  addProof(heads: readonly [Uint8Array, Uint8Array]): void {
    this.#proofs.push(heads);
  }

  /** Undefined stands for "too much to broadcast": peers are to compare and pull. */
  take(): (Uint8Array | undefined)[] {
    const frames: (Uint8Array | undefined)[] = this.#proofs.map((heads) =>
      writeFrame({ kind: "proof", heads }),
    );
    const documents = this.#takeDelta();
    const revisions = this.#revisions;
    const facts = this.#facts;
    this.#revisions = [];
    this.#facts = [];
    this.#proofs = [];
    if (documents.length + revisions.length + facts.length === 0) return frames;
    const frame = writeFrame({ kind: "push", fresh: true, documents, revisions, facts });
    return [...frames, frame.length <= broadcastBytesMax ? frame : undefined];
  }

  #takeDelta(): NodeDelta[] {
    if (this.#head === undefined) return [];
    const delta = { head: this.#head, base: this.#base ?? null, rows: [...this.#rows] };
    this.#head = undefined;
    this.#base = undefined;
    this.#rows.clear();
    return [delta];
  }
}

/** Deltas and bytes, cut into lists that stay under a size each. An item is never cut. */
export function pack<Item>(items: readonly Item[], bytesMax: number): Item[][] {
  const packs: Item[][] = [];
  let current: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = encode(item).length;
    if (current.length > 0 && bytes + size > bytesMax) {
      packs.push(current);
      current = [];
      bytes = 0;
    }
    current.push(item);
    bytes += size;
  }
  return current.length > 0 ? [...packs, current] : packs;
}
