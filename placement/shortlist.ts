/**
 * The best sites of one group for one service, best first: by how few of its replicas are there,
 * then by rendezvous. Only the best few of a thousand are kept, since few will be asked for.
 *
 * Invariant: what is listed comes before every acceptable site of the group that is not, and when
 * `isComplete` there are none of those.
 */

import { compareHashed, type Digest } from "./rendezvous.ts";
import type { Site } from "./site.ts";

export type Listed = { readonly site: Site; readonly hash: number; readonly count: number };

export class Shortlist {
  readonly #name: Digest;
  readonly #lengthMax: number;
  readonly #listed: Listed[] = [];
  /** The last of a full list: it turns nearly all others away. */
  #last: Listed | undefined;

  constructor(name: Digest, lengthMax: number) {
    this.#name = name;
    this.#lengthMax = lengthMax;
  }

  /** Nothing acceptable is left out. Once the list was full, something may be. */
  get isComplete(): boolean {
    return this.#last === undefined;
  }

  get length(): number {
    return this.#listed.length;
  }

  /** The best that `isWelcome`. Undefined is only an answer when the list is complete. */
  best(isWelcome: (site: Site) => boolean): Listed | undefined {
    return this.#listed.find(({ site }) => isWelcome(site));
  }

  /** Of sites of one weight, those below this hash would not be listed; 0 for nothing known. */
  get floor(): number {
    return this.#last === undefined || this.#last.count > 0 ? 0 : this.#last.hash;
  }

  /** While the list is made: quickly tells most of those that would not be listed. */
  turnsAway(site: Site, hash: number, count: number): boolean {
    const last = this.#last;
    if (last === undefined || count < last.count) return false;
    if (count === last.count && (hash >= last.hash || site.weight > last.site.weight)) return false;
    return true;
  }

  /** While the list is made: each acceptable site of the group once, with its replicas. */
  offer(site: Site, hash: number, count: number): void {
    if (this.#last !== undefined) {
      if (this.#comesAfter(this.#last, site, hash, count)) return;
      this.#listed.pop();
    }
    this.#insert({ site, hash, count });
    if (this.#listed.length === this.#lengthMax) this.#last = this.#listed[this.#lengthMax - 1];
  }

  /** A listed site got one more replica; it is listed on while it `accepts` another. */
  update(listed: Listed, accepts: boolean): void {
    this.#listed.splice(this.#listed.indexOf(listed), 1);
    if (!accepts) return;
    const { site, hash, count } = listed;
    const last = this.#listed[this.#listed.length - 1];
    const isLast = last === undefined || this.#comesAfter(last, site, hash, count + 1);
    // One that is not listed may come before it.
    if (isLast && !this.isComplete) return;
    this.#insert({ site, hash, count: count + 1 });
  }

  #insert(listed: Listed): void {
    const list = this.#listed;
    let at = list.length;
    list.push(listed);
    while (at > 0) {
      const before = list[at - 1] as Listed;
      if (this.#comesAfter(before, listed.site, listed.hash, listed.count)) break;
      list[at] = before;
      at--;
    }
    list[at] = listed;
  }

  #comesAfter(listed: Listed, site: Site, hash: number, count: number): boolean {
    if (count !== listed.count) return count > listed.count;
    return compareHashed(this.#name, listed.site, listed.hash, site, hash) < 0;
  }
}
