/**
 * Places with memory of the last time: the same answers as place.ts, which states the rules, at
 * the cost of what changed since the last question. Begin reading at `place`.
 *
 * What makes it quick:
 * - Incumbents of one node are in each other's way only there, so that only the nodes that
 *   changed, or whose incumbents did, are gone through again (`#reach`, `#settle`).
 * - A service whose replicas all have an incumbent that stays needs no newcomers, whatever
 *   changes elsewhere. The others are few; of those, services without demands depend on nobody.
 * - Services that the fixed filters treat alike share a list of sites (eligible.ts), and a service
 *   looks at each site once for all of its replicas (newcomers.ts).
 */

import {
  type NodeId,
  type ReplicaId,
  replicaId,
  type ServiceId,
  splitReplicaId,
} from "../model/ids.ts";
import { Assignments } from "./assignments.ts";
import { compared, difference, isNothing, isSameMap, onlyInOne } from "./difference.ts";
import { eligibleKey } from "./eligible.ts";
import { Holdings } from "./holdings.ts";
import type { Placement, PlacementInput, Refusal, Unplaced, Wanted } from "./input.ts";
import { Newcomers, placeAtHome } from "./newcomers.ts";
import { compareTurns, spreadOf } from "./place.ts";
import { type Changes, PlacedService } from "./placed-service.ts";
import { Room } from "./room.ts";
import type { Site } from "./site.ts";
import { Sites } from "./sites.ts";
import { Tally } from "./tally.ts";

/** Services to be looked at again, and which of their slots ask anew who keeps them. */
type Affected = Map<PlacedService, Set<ReplicaId> | "all">;

const nothing: PlacementInput = { nodes: [], wanted: [], incumbents: [], refusals: [] };

export class Placer {
  readonly #sites = new Sites();
  readonly #holdings = new Holdings();
  readonly #services = new Map<ServiceId, PlacedService>();
  readonly #globals = new Set<PlacedService>();
  readonly #tally = new Tally();
  /** Services with replicas that no incumbent keeps. */
  readonly #open = new Set<PlacedService>();
  #refusals: ReadonlyMap<ServiceId, readonly Refusal[]> = new Map();
  #changes: Changes = new Map();
  #asked = nothing;
  #answer: Placement = { assignments: Assignments.empty, unplaced: new Map() };
  #assignments = Assignments.empty;

  /**
   * The placement that `place` gives for the same input. Lists may be made afresh or be the same
   * objects as last time; they must not be changed after they were given.
   */
  place(input: PlacementInput): Placement {
    const nodes = difference(this.#asked.nodes, input.nodes, compared.nodes);
    const incumbents = difference(this.#asked.incumbents, input.incumbents, compared.incumbents);
    const reordered = this.#holdings.update(incumbents, input.incumbents);
    const rewritten = this.#findRewritten(input);
    this.#asked = input;
    const isAsBefore = isNothing(nodes) && isNothing(incumbents) && reordered.length === 0;
    if (isAsBefore && rewritten.size === 0) return this.#answer;
    const moved = this.#sites.update(nodes);
    const touched = new Set(moved);
    for (const { node } of incumbents.come) this.#touch(node, touched);
    for (const { node } of incumbents.gone) this.#touch(node, touched);
    // The replica may fall to another of its holders.
    const fallen = [...reordered, ...incumbents.gone.map(({ replica }) => replica)];
    for (const replica of fallen) this.#touchHolders(replica, touched);
    const affected: Affected = new Map();
    for (const [service, wanted] of rewritten) this.#rewrite(service, wanted, touched, affected);
    this.#reach(touched);
    for (const site of touched) this.#unsettle(site, affected);
    const reopened = this.#reopen(affected, moved.length > 0);
    for (const site of touched) site.room = new Room(site.node);
    this.#settle(affected);
    this.#placeNewcomers(reopened);
    this.#answer = this.#conclude();
    return this.#answer;
  }

  /** Services to be made anew or forgotten, with what is wanted of them now. */
  #findRewritten(input: PlacementInput): Map<ServiceId, Wanted | undefined> {
    const rewritten = new Map<ServiceId, Wanted | undefined>();
    const again = (service: ServiceId) => {
      rewritten.set(service, this.#services.get(service)?.wanted);
    };
    const refusals = difference(this.#asked.refusals, input.refusals, compared.refusals);
    if (!isNothing(refusals)) this.#refusals = groupByService(input.refusals);
    for (const { replica } of refusals.gone) again(splitReplicaId(replica).service);
    for (const { replica } of refusals.come) again(splitReplicaId(replica).service);
    for (const service of onlyInOne(this.#asked.stay, input.stay)) again(service);
    if (!isSameMap(this.#asked.pinned, input.pinned)) {
      for (const [id, { wanted, eligibleKey: key }] of this.#services) {
        if (eligibleKey(wanted.spec, input.pinned) !== key) again(id);
      }
    }
    const wanted = difference(this.#asked.wanted, input.wanted, compared.wanted);
    for (const { spec } of wanted.gone) rewritten.set(spec.service, undefined);
    for (const one of wanted.come) rewritten.set(one.spec.service, one);
    return rewritten;
  }

  #touch(node: NodeId, touched: Set<Site>): void {
    const site = this.#sites.get(node);
    if (site !== undefined) touched.add(site);
  }

  #touchHolders(replica: ReplicaId, touched: Set<Site>): void {
    for (const { node } of this.#holdings.of(replica)) this.#touch(node, touched);
  }

  /** All of a rewritten service's slots are asked again; only room concerns other services. */
  #rewrite(
    id: ServiceId,
    wanted: Wanted | undefined,
    touched: Set<Site>,
    affected: Affected,
  ): void {
    const old = this.#services.get(id);
    if (old !== undefined) {
      old.dropNewcomers();
      const sites = old.unkeepAll();
      if (old.isExclusive) for (const site of sites) touched.add(site);
      this.#services.delete(id);
      this.#globals.delete(old);
      this.#open.delete(old);
    }
    if (wanted === undefined) return;
    const { pinned, stay } = this.#asked;
    const stays = stay?.has(id) ?? false;
    const refusals = this.#refusals.get(id) ?? [];
    const service = new PlacedService(wanted, { pinned, stays, refusals }, this.#changes);
    this.#services.set(id, service);
    if (service.isGlobal) {
      this.#globals.add(service);
      for (const site of this.#sites.values()) this.#settleHome(service, site);
    }
    affected.set(service, "all");
    if (!service.isExclusive) return;
    for (const replica of service.slots()) this.#touchHolders(replica, touched);
  }

  #settleHome(service: PlacedService, site: Site): boolean {
    const replica = replicaId(service.id, site.id);
    const isPresent = this.#sites.get(site.id) === site;
    const isHeld = this.#holdings.of(replica).some(({ node }) => node === site.id);
    return service.settleHome(site, isPresent, isHeld);
  }

  /** A replica with several holders ties its nodes together: what one keeps another loses. */
  #reach(touched: Set<Site>): void {
    // A set that grows while it is walked is walked to its end.
    for (const site of touched) {
      for (const replica of this.#holdings.on(site.id)) {
        if (this.#holdings.of(replica).length > 1) this.#touchHolders(replica, touched);
      }
    }
  }

  /** Forgets what a site keeps, and asks again who keeps it and whatever else is held there. */
  #unsettle(site: Site, affected: Affected): void {
    for (const service of this.#globals) {
      const isNews = this.#settleHome(service, site);
      if (isNews && !affected.has(service)) affected.set(service, new Set());
    }
    for (const replica of [...site.kept]) {
      const service = this.#ask(replica, affected);
      service?.unkeep(replica);
    }
    for (const replica of this.#holdings.on(site.id)) this.#ask(replica, affected);
  }

  #ask(replica: ReplicaId, affected: Affected): PlacedService | undefined {
    const service = this.#services.get(splitReplicaId(replica).service);
    if (service === undefined) return undefined;
    const asked = affected.get(service);
    if (asked === undefined) affected.set(service, new Set([replica]));
    else if (asked !== "all") asked.add(replica);
    return service;
  }

  /**
   * Services whose newcomers are to be placed anew: the affected, and of those with newcomers the
   * ones that a changed node or another service's place may concern. Their newcomers are dropped.
   */
  #reopen(affected: Affected, haveNodesMoved: boolean): PlacedService[] {
    const reopened = new Set(affected.keys());
    for (const service of this.#open) {
      if (haveNodesMoved || service.isExclusive) reopened.add(service);
    }
    for (const service of reopened) service.dropNewcomers();
    return [...reopened].sort(byTurn);
  }

  /** Incumbents stay where they may, in the order of place.ts. */
  #settle(affected: Affected): void {
    for (const service of [...affected.keys()].sort(byTurn)) {
      const asked = affected.get(service) ?? "all";
      const inTurn = asked === "all" ? service.slots() : service.inTurn(asked);
      for (const replica of inTurn) this.#keep(service, replica);
    }
  }

  #keep(service: PlacedService, replica: ReplicaId): void {
    const home = service.isGlobal ? service.homeOf(replica) : undefined;
    for (const { node } of this.#holdings.of(replica)) {
      const site = this.#sites.get(node);
      if (site === undefined || (service.isGlobal && site !== home)) continue;
      if (service.dismisses(replica, site) !== undefined) continue;
      service.keep(replica, site);
      return;
    }
  }

  #placeNewcomers(reopened: readonly PlacedService[]): void {
    for (const service of reopened) {
      if (service.isSettled) {
        this.#open.delete(service);
        continue;
      }
      this.#open.add(service);
      const { spec } = service.wanted;
      const eligible = this.#sites.eligible(spec, service.pinned, service.eligibleKey);
      if (service.isGlobal) placeAtHome(service, eligible);
      else {
        const spread = this.#sites.spread(spreadOf(spec));
        new Newcomers(service, eligible, spread, this.#tally).place(this.#sites.span);
      }
    }
  }

  #conclude(): Placement {
    this.#assignments = this.#assignments.with(this.#changes);
    this.#changes.clear();
    const unplaced = [...this.#open].filter(({ missing, isIdle }) => missing > 0 || isIdle);
    const explained = unplaced.sort(byTurn).map(({ id, missing, rejections }) => {
      return [id, { replicas: missing, rejections }] as const;
    });
    return { assignments: this.#assignments, unplaced: new Map<ServiceId, Unplaced>(explained) };
  }
}

function byTurn(left: PlacedService, right: PlacedService): number {
  return compareTurns(left.wanted, right.wanted);
}

function groupByService(refusals: readonly Refusal[]): Map<ServiceId, Refusal[]> {
  const groups = new Map<ServiceId, Refusal[]>();
  for (const refusal of refusals) {
    const { service } = splitReplicaId(refusal.replica);
    const group = groups.get(service);
    if (group === undefined) groups.set(service, [refusal]);
    else group.push(refusal);
  }
  return groups;
}
