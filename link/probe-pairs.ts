/**
 * The keys of this node with others, made once each and kept while they are used. Making one takes
 * about 0.1 ms, so that whoever holds the mesh's secret could keep the prober's thread busy with
 * ever new names: for names that are not probed only so many are made a second. A member that is
 * turned away probes again.
 */

import type { KeyObject } from "node:crypto";
import type { Agree } from "../trust/agreement.ts";

/** Members that this node probes and that probe it are a few dozen, in any mesh. */
const keysMax = 1_024;
/** A hundredth of a core. In a mesh of thousands, a node has a dozen observers. */
const strangersPerSecond = 100;

export class ProbePairs {
  readonly #agree: Agree;
  readonly #keys = new Map<string, KeyObject | undefined>();
  #strangers = 0;
  #strangersSinceMs = Number.NEGATIVE_INFINITY;

  constructor(agree: Agree) {
    this.#agree = agree;
  }

  /** With the node of that public key, in hex. Undefined when it is no key to agree with. */
  of(name: string): KeyObject | undefined {
    const isKnown = this.#keys.has(name);
    const key = isKnown ? this.#keys.get(name) : this.#agree(Buffer.from(name, "hex"));
    // The Map's order is the order of use: the first is the one unused for longest.
    this.#keys.delete(name);
    this.#keys.set(name, key);
    if (this.#keys.size > keysMax) this.#keys.delete(this.#keys.keys().next().value as string);
    return key;
  }

  /** The same, or undefined when too many names were new of late. */
  ofStranger(name: string, nowMs: number): KeyObject | undefined {
    if (this.#keys.has(name)) return this.of(name);
    if (nowMs - this.#strangersSinceMs >= 1_000) {
      this.#strangersSinceMs = nowMs;
      this.#strangers = 0;
    }
    this.#strangers++;
    return this.#strangers > strangersPerSecond ? undefined : this.of(name);
  }
}
