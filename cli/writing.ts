/**
 * Writes: a node drafts the stamps, this person's key signs the documents, the node stores them
 * and says how many peers had them by then. An agent cannot invent work, so every write of a spec
 * begins here.
 */

import { signSpec } from "../api/person.ts";
import type { SpecDocument } from "../model/documents.ts";
import { keyOf } from "../model/parse.ts";
import { ask, type Work } from "./work.ts";
import type { Written } from "./world.ts";

/** A document's key and its new content; null removes it. */
export type Change = { readonly key: string; readonly document: SpecDocument | null };

export function toChange(document: SpecDocument): Change {
  return { key: keyOf(document), document };
}

/** A service goes with its scale: whoever deploys the name again starts afresh. */
export function toRemovals(service: string): Change[] {
  return [
    { key: `service/${service}`, document: null },
    { key: `scale/${service}`, document: null },
  ];
}

export function* write(changes: readonly Change[]): Work<Written> {
  if (changes.length === 0) return { revisions: [], peers: 0 };
  const { mesh } = yield* ask((world) => world.mesh.view());
  const key = yield* ask((world) => world.key());
  const drafts = yield* ask((world) => world.mesh.drafts(changes.map((change) => change.key)));
  const revisions = drafts.flatMap((draft) => {
    const change = changes.find((one) => one.key === draft.key);
    return change === undefined ? [] : [signSpec(mesh, draft, change.document, key)];
  });
  return yield* ask((world) => world.mesh.write({ revisions, facts: [] }));
}
