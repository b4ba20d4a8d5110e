/**
 * The trust log: a grow-only set of signed facts. What the set means is trust/meaning.ts's
 * business; it depends on the set alone, never on the order of arrival.
 */

import { encode } from "../crdt/codec.ts";
import { sha256 } from "../crdt/hash.ts";
import type { Verify } from "../crdt/signed.ts";
import type { MeshId } from "../model/ids.ts";
import { openFact, type SignedFact } from "./facts.ts";
import { interpret } from "./meaning.ts";
import type { TrustView } from "./view.ts";

export type { Admitted, InviteStanding, TrustView } from "./view.ts";

/** Far more facts than a mesh of a thousand nodes makes in years; a flood stops here. */
const factsMax = 100_000;

export class TrustLog {
  readonly #mesh: MeshId;
  readonly #verify: Verify;
  readonly #facts = new Map<string, SignedFact>();
  #entries: Map<string, Uint8Array> = new Map();
  #view: TrustView | undefined;
  #digest: Uint8Array | undefined;

  constructor(mesh: MeshId, verify: Verify) {
    this.#mesh = mesh;
    this.#verify = verify;
  }

  add(bytes: Uint8Array): "added" | "known" | "invalid" {
    const fact = openFact(bytes, this.#mesh, this.#verify);
    if (fact === undefined) return "invalid";
    if (this.#facts.has(fact.id)) return "known";
    if (this.#facts.size >= factsMax) return "invalid";
    this.#facts.set(fact.id, fact);
    this.#entries.set(fact.id, bytes);
    this.#view = undefined;
    this.#digest = undefined;
    return "added";
  }

  entries(): ReadonlyMap<string, Uint8Array> {
    return this.#entries;
  }

  facts(): readonly SignedFact[] {
    return [...this.#facts.values()];
  }

  digest(): Uint8Array {
    this.#digest ??= sha256(encode([...this.#facts.keys()].sort()));
    return this.#digest;
  }

  view(): TrustView {
    this.#view ??= interpret(this.#mesh, this.facts(), this.#verify);
    return this.#view;
  }
}
