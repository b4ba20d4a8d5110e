/**
 * Finds sites for the replicas of a service that no node holds: where the fewest replicas of the
 * service are, first by group (zone, or what the spec spreads over), then by site, then by
 * rendezvous. The choice is that of `#compare` in place.ts; here each group has a shortlist, so
 * that a service looks at every site once and not once for every replica.
 */

import type { ReplicaId } from "../model/ids.ts";
import type { Eligible } from "./eligible.ts";
import { type Filter, filters } from "./filters.ts";
import type { PlacedService } from "./placed-service.ts";
import { compareHashed, pairHash } from "./rendezvous.ts";
import { refusesCrowd } from "./room.ts";
import { type Listed, Shortlist } from "./shortlist.ts";
import type { Site } from "./site.ts";
import type { Spread } from "./spread.ts";

/** A list of this length saves looking at all sites again for as many replicas. */
const listedMax = 16;

/** One of the innermost groups with sites that can take a replica. */
type Group = { readonly number: number; list: Shortlist };

export class Newcomers {
  readonly #service: PlacedService;
  readonly #eligible: Eligible;
  readonly #spread: Spread;
  /** Replicas of the service by site index, and by group number. */
  readonly #onSite: Int32Array;
  readonly #inGroup: Int32Array;
  #groups: Group[] = [];

  /** `span` is one more than the highest index of a site. */
  constructor(service: PlacedService, eligible: Eligible, spread: Spread, span: number) {
    this.#service = service;
    this.#eligible = eligible;
    this.#spread = spread;
    this.#onSite = new Int32Array(span);
    this.#inGroup = new Int32Array(spread.size);
    for (const [site, count] of service.counts) this.#count(site, count);
  }

  place(): void {
    const open = this.#service.openSlots();
    this.#groups = this.#makeLists(Math.min(open.length, listedMax));
    for (const replica of open) {
      const best = this.#best(replica);
      if (best === undefined) this.#miss(replica);
      else this.#take(replica, best.listed, best.group);
    }
  }

  #best(replica: ReplicaId): { listed: Listed; group: Group } | undefined {
    let best: { listed: Listed; group: Group } | undefined;
    for (const group of this.#groups) {
      const listed = this.#bestOf(group, replica);
      if (listed === undefined) continue;
      if (best === undefined || this.#compare(listed, best.listed) < 0) best = { listed, group };
    }
    return best;
  }

  /** When the list is used up, or the replica is refused by all on it, a longer one is made. */
  #bestOf(group: Group, replica: ReplicaId): Listed | undefined {
    const isWelcome = (site: Site) => !this.#service.isRefused(replica, site);
    let found = group.list.best(isWelcome);
    while (found === undefined && !group.list.isComplete) {
      const length = Math.max(listedMax, 2 * group.list.length);
      const [longer] = this.#makeLists(length, group.number);
      group.list = longer?.list ?? new Shortlist(this.#service.digest, length);
      found = group.list.best(isWelcome);
    }
    return found;
  }

  /** Looks at every eligible site once; at those of one group only when `only` is given. */
  #makeLists(length: number, only?: number): Group[] {
    const { demand, digest, isExclusive } = this.#service;
    const innermost = this.#spread.groups.at(-1) ?? [];
    const byNumber: (Shortlist | undefined)[] = [];
    const groups: Group[] = [];
    for (const site of this.#eligible.sites) {
      const number = innermost[site.index] as number;
      if (only !== undefined && number !== only) continue;
      const count = this.#onSite[site.index] as number;
      if (isExclusive && site.room.lacks(demand) !== undefined) continue;
      if (demand.maxPerNode > 0 && count >= demand.maxPerNode) continue;
      let list = byNumber[number];
      if (list === undefined) {
        list = new Shortlist(digest, length);
        byNumber[number] = list;
        groups.push({ number, list });
      }
      list.offer(site, pairHash(digest, site.digest), count);
    }
    return groups;
  }

  /** Negative when the left site is the better place for one more replica. */
  #compare(left: Listed, right: Listed): number {
    for (const numbers of this.#spread.groups) {
      const leftCount = this.#inGroup[numbers[left.site.index] as number] as number;
      const rightCount = this.#inGroup[numbers[right.site.index] as number] as number;
      if (leftCount !== rightCount) return leftCount - rightCount;
    }
    if (left.count !== right.count) return left.count - right.count;
    return compareHashed(this.#service.digest, left.site, left.hash, right.site, right.hash);
  }

  #take(replica: ReplicaId, listed: Listed, group: Group): void {
    const { site } = listed;
    this.#service.take(replica, site);
    this.#count(site, 1);
    group.list.update(listed, this.#refusesRoom(site) === undefined);
  }

  #refusesRoom(site: Site): Filter | undefined {
    const { demand, isExclusive } = this.#service;
    const lacks = isExclusive ? site.room.lacks(demand) : undefined;
    return lacks ?? refusesCrowd(demand, this.#onSite[site.index] as number);
  }

  #count(site: Site, more: number): void {
    this.#onSite[site.index] = (this.#onSite[site.index] as number) + more;
    for (const numbers of this.#spread.groups) {
      const number = numbers[site.index] as number;
      this.#inGroup[number] = (this.#inGroup[number] as number) + more;
    }
  }

  /** The first that finds no site says why, for all that come after. */
  #miss(replica: ReplicaId): void {
    const service = this.#service;
    service.missing++;
    if (service.missing > 1) return;
    const counts = this.#eligible.rejections();
    for (const site of this.#eligible.sites) {
      const filter = service.isRefused(replica, site) ? "no-fit" : this.#refusesRoom(site);
      if (filter !== undefined) counts.set(filter, (counts.get(filter) ?? 0) + 1);
    }
    service.rejections = inOrder(counts);
  }
}

/** A global service's newcomers: each has its own node or none. */
export function placeAtHome(service: PlacedService, eligible: Eligible): void {
  for (const replica of service.openSlots()) {
    const site = service.homeOf(replica);
    if (site === undefined) continue;
    const filter = eligible.refuses(site) ?? service.refusesNow(replica, site);
    if (filter === undefined) service.take(replica, site);
    else if (++service.missing === 1) service.rejections = { [filter]: 1 };
  }
  if (service.isIdle) service.rejections = inOrder(eligible.rejections());
}

/** Filters in the order in which they are asked, so that all nodes explain in the same words. */
export function inOrder(counts: ReadonlyMap<Filter, number>): Record<string, number> {
  const known = filters.filter((filter) => counts.has(filter));
  return Object.fromEntries(known.map((filter) => [filter, counts.get(filter) as number]));
}
