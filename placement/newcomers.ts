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
import type { Tally } from "./tally.ts";

/** A list of this length saves looking at all sites again for as many replicas. */
const listedMax = 16;

/** One of the innermost groups, by a site in it that can take a replica. */
type Group = { readonly site: Site; list: Shortlist };
type Choice = { readonly listed: Listed; readonly group: Group };

export class Newcomers {
  readonly #service: PlacedService;
  readonly #eligible: Eligible;
  readonly #spread: Spread;
  readonly #tally: Tally;
  #groups: Group[] = [];

  constructor(service: PlacedService, eligible: Eligible, spread: Spread, tally: Tally) {
    this.#service = service;
    this.#eligible = eligible;
    this.#spread = spread;
    this.#tally = tally;
  }

  /** `span` is one more than the highest index of a site. */
  place(span: number): void {
    const open = this.#service.openSlots();
    this.#tally.open(this.#service.sites(), this.#spread, span);
    // A fair share for each group, since replicas are dealt over groups.
    const length = Math.ceil(open.length / Math.max(1, this.#spread.innermost));
    this.#groups = this.#makeLists(Math.min(length, listedMax));
    for (const replica of open) {
      const best = this.#best(replica);
      if (best === undefined) this.#miss(replica);
      else this.#take(replica, best.listed, best.group);
    }
    this.#tally.close(this.#service.sites());
  }

  /** Of the groups with the fewest replicas, and of the next when those have no welcome site. */
  #best(replica: ReplicaId): Choice | undefined {
    let fewest = this.#fewest(undefined);
    while (fewest !== undefined) {
      let best: Choice | undefined;
      for (const group of this.#groups) {
        if (this.#tally.compareGroups(group.site, fewest.site) !== 0) continue;
        const listed = this.#bestOf(group, replica);
        if (listed === undefined) continue;
        if (best === undefined || this.#compare(listed, best.listed) < 0) best = { listed, group };
      }
      if (best !== undefined) return best;
      fewest = this.#fewest(fewest);
    }
    return undefined;
  }

  /** One of the groups with the fewest replicas, of those with more than `past`. */
  #fewest(past: Group | undefined): Group | undefined {
    let fewest: Group | undefined;
    for (const group of this.#groups) {
      if (past !== undefined && this.#tally.compareGroups(group.site, past.site) <= 0) continue;
      if (fewest === undefined || this.#tally.compareGroups(group.site, fewest.site) < 0)
        fewest = group;
    }
    return fewest;
  }

  /** When the list is used up, or the replica is refused by all on it, a longer one is made. */
  #bestOf(group: Group, replica: ReplicaId): Listed | undefined {
    const isWelcome = (site: Site) => !this.#service.isRefused(replica, site);
    let found = group.list.best(isWelcome);
    while (found === undefined && !group.list.isComplete) {
      const length = Math.max(listedMax, 2 * group.list.length);
      const [longer] = this.#makeLists(length, this.#numberOf(group.site));
      group.list = longer?.list ?? new Shortlist(this.#service.digest, length);
      found = group.list.best(isWelcome);
    }
    return found;
  }

  /** Looks at every eligible site once; at those of one group only when `only` is given. */
  #makeLists(length: number, only?: number): Group[] {
    const { digest } = this.#service;
    const { onSite } = this.#tally;
    const innermost = this.#spread.groups.at(-1) ?? [];
    const byNumber: (Shortlist | undefined)[] = [];
    const groups: Group[] = [];
    // Run ten million times when ten thousand services are placed on a thousand nodes: nearly all
    // sites end at the first comparison.
    let floor = 0;
    for (const site of this.#eligible.sites) {
      const hash = pairHash(digest, site.digest);
      if (hash < floor) continue;
      const number = innermost[site.index] as number;
      const count = onSite[site.index] as number;
      let list = byNumber[number];
      if (list?.turnsAway(site, hash, count)) continue;
      if (only !== undefined && number !== only) continue;
      if (this.#refusesRoom(site) !== undefined) continue;
      if (list === undefined) {
        list = new Shortlist(digest, length);
        byNumber[number] = list;
        groups.push({ site, list });
      }
      list.offer(site, hash, count);
      floor = this.#floorOf(groups, only);
    }
    return groups;
  }

  /** Below this hash no site would be listed in any group; 0 as long as that cannot be told. */
  #floorOf(groups: readonly Group[], only: number | undefined): number {
    const isWhole = only !== undefined || groups.length === this.#spread.innermost;
    if (!isWhole || !this.#eligible.haveOneWeight) return 0;
    let floor = 2 ** 32;
    for (const { list } of groups) floor = Math.min(floor, list.floor);
    return floor;
  }

  /** Negative when the left site is the better one, of groups with as many replicas. */
  #compare(left: Listed, right: Listed): number {
    if (left.count !== right.count) return left.count - right.count;
    return compareHashed(this.#service.digest, left.site, left.hash, right.site, right.hash);
  }

  #numberOf({ index }: Site): number {
    return this.#spread.groups.at(-1)?.[index] as number;
  }

  #take(replica: ReplicaId, listed: Listed, group: Group): void {
    const { site } = listed;
    this.#service.take(replica, site);
    this.#tally.add(site, 1);
    group.list.update(listed, this.#refusesRoom(site) === undefined);
  }

  #refusesRoom(site: Site): Filter | undefined {
    const { demand, isExclusive } = this.#service;
    const lacks = isExclusive ? site.room.lacks(demand) : undefined;
    return lacks ?? refusesCrowd(demand, this.#tally.onSite[site.index] as number);
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
