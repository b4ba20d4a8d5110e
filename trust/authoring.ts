/**
 * A person's signature under a spec. The node drafts what only it knows (generation, time,
 * parents), the person's key signs the whole: an agent cannot invent work.
 */

import { writeRevision } from "../crdt/register.ts";
import type { Signer } from "../crdt/signed.ts";
import type { SpecDocument } from "../model/documents.ts";

/** As it travels from the node to the person's side: plain JSON. */
export type Draft = {
  readonly key: string;
  readonly generation: number;
  readonly timeMs: number;
  readonly counter: number;
  readonly parents: readonly string[];
};

/** `document` null writes a tombstone. */
export function signSpec(
  mesh: string,
  draft: Draft,
  document: SpecDocument | null,
  signer: Signer,
): Uint8Array {
  const { key, generation, timeMs, counter, parents } = draft;
  // Optional fields that are present but undefined have no place in canonical bytes.
  const value = document === null ? undefined : JSON.parse(JSON.stringify(document));
  const time = { timeMs, counter };
  return writeRevision(mesh, { key, generation, time, parents }, value, signer).bytes;
}
