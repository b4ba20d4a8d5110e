/**
 * A cache bounded by weight, in two generations: when the young one is full it becomes the old
 * one, and what was the old one is dropped. A hit in the old one moves it to the young. That keeps
 * what is asked for, like LRU, and costs one look-up a hit with nothing to relink.
 */

type Kept<Value> = Map<string, { readonly value: Value; readonly weight: number }>;

export class Generations<Value> {
  readonly #weightMax: number;
  #young: Kept<Value> = new Map();
  #old: Kept<Value> = new Map();
  #weight = 0;

  /** Never holds more than `weightMax` in all. */
  constructor(weightMax: number) {
    this.#weightMax = weightMax;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young.value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.set(key, old.value, old.weight);
    return old.value;
  }

  /** What weighs more than a generation may is not kept. */
  set(key: string, value: Value, weight: number): void {
    this.delete(key);
    if (weight > this.#weightMax / 2) return;
    if (this.#weight + weight > this.#weightMax / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = 0;
    }
    this.#young.set(key, { value, weight });
    this.#weight += weight;
  }

  delete(key: string): void {
    const young = this.#young.get(key);
    if (young !== undefined) this.#weight -= young.weight;
    this.#young.delete(key);
    this.#old.delete(key);
  }
}

/**
 * What is kept for long must be copied so: a few bytes of Node's shared pool keep eight kilobytes
 * alive, and a cache would hold twenty times what it counts.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
