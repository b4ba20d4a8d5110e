/**
 * All node documents that a node holds, with one sum over their heads: the exclusive or of a hash
 * per head, so that a change of one document costs one hash, whatever the size of the mesh.
 */

import { decode, encode } from "../crdt/codec.ts";
import { sha256 } from "../crdt/hash.ts";
import type { Head, NodeDocument } from "../crdt/node-document.ts";
import type { HeadSummary } from "./frames.ts";

/** Bytes of a root that a summary carries: enough to tell equivocation from equality. */
const rootBytes = 8;

export class NodeDocuments {
  readonly #documents = new Map<string, NodeDocument>();
  readonly #sum = new Uint8Array(32);

  get(node: string): NodeDocument | undefined {
    return this.#documents.get(node);
  }

  nodes(): string[] {
    return [...this.#documents.keys()];
  }

  put(document: NodeDocument): void {
    this.drop(document.head.node);
    this.#documents.set(document.head.node, document);
    this.#fold(document.head);
  }

  drop(node: string): boolean {
    const document = this.#documents.get(node);
    if (document === undefined) return false;
    this.#documents.delete(node);
    this.#fold(document.head);
    return true;
  }

  sum(): Uint8Array {
    return this.#sum;
  }

  summary(): HeadSummary[] {
    return [...this.#documents.values()].map(({ head }): HeadSummary => {
      return [head.node, head.epoch, head.seq, head.root.subarray(0, rootBytes)];
    });
  }

  #fold({ node, epoch, seq, root }: Head): void {
    const hash = sha256(encode([node, epoch, seq, root]));
    for (let at = 0; at < hash.length; at++) {
      this.#sum[at] = (this.#sum[at] as number) ^ (hash[at] as number);
    }
  }
}

const values = new WeakMap<Uint8Array, { readonly value: unknown }>();

/** What a row says. One object for the same bytes, however often it is asked for. */
export function rowValue(bytes: Uint8Array): unknown {
  let known = values.get(bytes);
  if (known === undefined) {
    known = { value: decode(bytes) };
    values.set(bytes, known);
  }
  return known.value;
}

/** A whole document as bytes, for this node's own disk. */
export function packDocument({ head, rows }: NodeDocument): Uint8Array {
  return encode({ head: head.bytes, rows: [...rows] });
}
