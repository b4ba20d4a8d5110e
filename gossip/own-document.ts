/**
 * This node's own document. Only its key writes it, and its (epoch, seq) never repeats, whatever
 * was lost with a disk: a newer head of its own that comes back from a peer raises the epoch.
 */

import { encode } from "../crdt/codec.ts";
import { equalBytes } from "../crdt/hash.ts";
import { amend, type NodeDelta } from "../crdt/node-document.ts";
import type { Signer } from "../crdt/signed.ts";
import type { Row } from "../model/documents.ts";
import type { Replica } from "./replica.ts";

export class OwnDocument {
  readonly #replica: Replica;
  readonly #signer: Signer;
  #epoch = 0;

  constructor(replica: Replica, signer: Signer) {
    this.#replica = replica;
    this.#signer = signer;
  }

  /** A new epoch, above every one this node is known to have used. Returns its last word's time. */
  open(wallMs: number): number | undefined {
    const head = this.#replica.documents.get(this.#signer.id)?.head;
    this.#epoch = Math.max(Math.floor(wallMs / 1000), (head?.epoch ?? 0) + 1);
    return head?.wallMs;
  }

  /** Undefined when nothing changed. `rows`: undefined deletes; equal rows change nothing. */
  amend(
    rows: ReadonlyMap<string, Row | undefined>,
    { wallMs, incarnation }: { readonly wallMs: number; readonly incarnation: number },
  ): NodeDelta | undefined {
    const own = this.#replica.documents.get(this.#signer.id);
    const changes = new Map<string, Uint8Array | undefined>();
    for (const [key, row] of rows) {
      const bytes = row === undefined ? undefined : encodeRow(row);
      if (!isSame(own?.rows.get(key), bytes)) changes.set(key, bytes);
    }
    const raised = Math.max(incarnation, own?.head.incarnation ?? 0);
    const stands = own?.head.epoch === this.#epoch && own.head.incarnation === raised;
    if (changes.size === 0 && stands) return undefined;
    const { mesh } = this.#replica;
    const amendment = { mesh, epoch: this.#epoch, incarnation: raised, wallMs, changes };
    const { document, delta } = amend(own, amendment, this.#signer);
    this.#replica.putDocument(document);
    return delta;
  }

  /** Somebody has a newer head of this very node: a disk was lost, its memory was not. */
  outrank(epoch: number, wallMs: number): NodeDelta | undefined {
    this.#epoch = Math.max(this.#epoch, epoch + 1);
    return this.amend(new Map(), { wallMs, incarnation: 0 });
  }
}

function isSame(before: Uint8Array | undefined, after: Uint8Array | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return equalBytes(before, after);
}

const encoded = new WeakMap<Row, Uint8Array>();

/** Optional fields that are present but undefined have no place in canonical bytes. */
function encodeRow(row: Row): Uint8Array {
  const bytes = encoded.get(row) ?? encode(JSON.parse(JSON.stringify(row)));
  encoded.set(row, bytes);
  return bytes;
}
