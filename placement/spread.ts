/**
 * Sites sorted into groups that share attributes, one list per depth: by zone, by zone and rack.
 */

import { attributeOf } from "./attributes.ts";
import type { Site } from "./site.ts";

export class Spread {
  /** By depth, by site index: the number of the site's group. No two groups share a number. */
  readonly groups: readonly (readonly number[])[];
  readonly #groups: readonly number[][];
  readonly #keys: readonly string[];
  readonly #numbers = new Map<string, number>();
  #innermost = 0;

  constructor(keys: readonly string[], sites: Iterable<Site>) {
    this.#keys = keys;
    this.#groups = keys.map(() => []);
    this.groups = this.#groups;
    for (const site of sites) this.sort(site);
  }

  /** How many numbers are given out. */
  get size(): number {
    return this.#numbers.size;
  }

  /** How many of them are groups of the innermost kind. */
  get innermost(): number {
    return this.#innermost;
  }

  /** True when most groups have lost their sites: a node may change its labels without end. */
  isStale(sites: number): boolean {
    return this.size > 2 * (sites + 8) * this.#keys.length;
  }

  sort({ index, node }: Site): void {
    const path: (string | null)[] = [];
    for (const [depth, key] of this.#keys.entries()) {
      path.push(attributeOf(node, key) ?? null);
      const name = JSON.stringify(path);
      let number = this.#numbers.get(name);
      if (number === undefined) {
        number = this.#numbers.size;
        this.#numbers.set(name, number);
        if (depth === this.#keys.length - 1) this.#innermost++;
      }
      (this.#groups[depth] as number[])[index] = number;
    }
  }
}
