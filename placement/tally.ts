/**
 * How many replicas of one service are on each site and in each group, while it is being placed.
 * One serves all services in turn, so that ten thousand of them leave no garbage behind.
 */

import type { Site } from "./site.ts";
import type { Spread } from "./spread.ts";

export class Tally {
  #onSite = new Int32Array(0);
  #inGroup = new Int32Array(0);
  #groups: Spread["groups"] = [];

  /** `span` is one more than the highest index of a site. */
  open(sites: Iterable<Site>, { groups, size }: Spread, span: number): void {
    this.#groups = groups;
    if (this.#onSite.length < span) this.#onSite = new Int32Array(2 * span);
    if (this.#inGroup.length < size) this.#inGroup = new Int32Array(2 * size);
    for (const site of sites) this.add(site, 1);
  }

  /** Back to nothing: `sites` are what it was opened with and everything that was added. */
  close(sites: Iterable<Site>): void {
    for (const site of sites) this.add(site, -1);
  }

  add(site: Site, more: number): void {
    this.#onSite[site.index] = (this.#onSite[site.index] as number) + more;
    for (const numbers of this.#groups) {
      const number = numbers[site.index] as number;
      this.#inGroup[number] = (this.#inGroup[number] as number) + more;
    }
  }

  /** By the index of a site. */
  get onSite(): Int32Array {
    return this.#onSite;
  }

  /** Negative when the left site's group has fewer replicas, by the outermost that differs. */
  compareGroups(left: Site, right: Site): number {
    for (const numbers of this.#groups) {
      const leftCount = this.#inGroup[numbers[left.index] as number] as number;
      const rightCount = this.#inGroup[numbers[right.index] as number] as number;
      if (leftCount !== rightCount) return leftCount - rightCount;
    }
    return 0;
  }
}
