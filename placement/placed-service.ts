/**
 * One service as the placer remembers it: what it asks for, which nodes keep its replicas, and
 * where newcomers went. A service whose spec, scale or refusals change is made anew.
 */

import {
  compareIds,
  type NodeId,
  type ReplicaId,
  replicaId,
  type ServiceId,
  splitReplicaId,
} from "../model/ids.ts";
import { eligibleKey } from "./eligible.ts";
import { type Claim, type Filter, type Pins, refusesSpec } from "./filters.ts";
import type { Refusal, Wanted } from "./input.ts";
import { type Digest, digest } from "./rendezvous.ts";
import { type Demand, demandOf, isExclusive, refusesCrowd } from "./room.ts";
import type { Site } from "./site.ts";

/** What became of replicas since the last answer; undefined when one has no node any more. */
export type Changes = Map<ReplicaId, NodeId | undefined>;

/** Shared, so that ten thousand services do not have three empty maps each. Never written to. */
const nowhere = new Map<ReplicaId, Site>();

/** What is said of a service outside its spec. */
type Circumstances = {
  readonly pinned: Pins | undefined;
  readonly stays: boolean;
  readonly refusals: readonly Refusal[];
};

export class PlacedService {
  readonly id: ServiceId;
  readonly wanted: Wanted;
  readonly demand: Demand;
  /** Its replicas and those of other services can be in each other's way. */
  readonly isExclusive: boolean;
  readonly isGlobal: boolean;
  readonly digest: Digest;
  readonly eligibleKey: string;
  readonly pinned: Pins | undefined;
  /** Open slots that found no site, and why the first of them did not. */
  missing = 0;
  rejections: Readonly<Record<string, number>> = {};

  readonly #claim: Claim;
  readonly #changes: Changes;
  readonly #refusals: ReadonlyMap<ReplicaId, ReadonlySet<NodeId>>;
  /** Of a replicated service. */
  readonly #slots: readonly ReplicaId[];
  /** Of a global one: the sites that should run it. */
  readonly #homes: Map<ReplicaId, Site>;
  #kept = nowhere;
  #newcomers = nowhere;
  /** Replicas on each site, when there is a limit to them. */
  readonly #counts: Map<Site, number> | undefined;

  constructor(wanted: Wanted, { pinned, stays, refusals }: Circumstances, changes: Changes) {
    const { spec, revision, replicas } = wanted;
    this.id = spec.service;
    this.wanted = wanted;
    this.demand = demandOf(spec);
    this.isExclusive = isExclusive(this.demand);
    this.isGlobal = spec.mode === "global";
    this.#homes = this.isGlobal ? new Map() : nowhere;
    this.#counts = this.demand.maxPerNode > 0 ? new Map() : undefined;
    this.digest = digest(this.id);
    this.eligibleKey = eligibleKey(spec, pinned);
    this.pinned = pinned;
    this.#claim = { incumbent: true, stays };
    this.#changes = changes;
    this.#slots = this.isGlobal ? [] : slotsOf(this.id, replicas);
    this.#refusals = byReplica(refusals.filter((refusal) => refusal.revision === revision));
  }

  /** Every replica has a node that keeps it; one that runs nowhere has something to explain. */
  get isSettled(): boolean {
    return this.isGlobal
      ? this.#kept.size > 0 && this.#kept.size === this.#homes.size
      : this.#kept.size === this.#slots.length;
  }

  /** A global service that no site is eligible for. */
  get isIdle(): boolean {
    return this.isGlobal && this.#homes.size === 0;
  }

  /** The site of each replica that has one. */
  *sites(): Generator<Site, undefined> {
    yield* this.#kept.values();
    yield* this.#newcomers.values();
  }

  /** Slots in the order in which they are served. */
  slots(): Iterable<ReplicaId> {
    return this.isGlobal ? this.#homes.keys() : this.#slots;
  }

  /** Slots that no incumbent keeps, in the order in which they are served. */
  openSlots(): ReplicaId[] {
    const open = [...this.slots()].filter((replica) => !this.#kept.has(replica));
    // The slots of a global service are nodes, and nodes are served by id.
    return this.isGlobal ? open.sort(compareIds) : open;
  }

  /** Those that are slots, in the order in which they are served. */
  inTurn(replicas: Iterable<ReplicaId>): ReplicaId[] {
    if (this.isGlobal) return [...replicas].filter((replica) => this.#homes.has(replica));
    return [...replicas]
      .map((replica) => ({ replica, turn: Number(splitReplicaId(replica).slot) }))
      .filter(({ replica, turn }) => this.#slots[turn - 1] === replica)
      .sort((left, right) => left.turn - right.turn)
      .map(({ replica }) => replica);
  }

  homeOf(replica: ReplicaId): Site | undefined {
    return this.#homes.get(replica);
  }

  /**
   * Whether a site is to run the global service, by the fixed filters alone. True when that is
   * news.
   */
  settleHome(site: Site, isPresent: boolean, isHeld: boolean): boolean {
    const replica = replicaId(this.id, site.id);
    const claim = { incumbent: isHeld, stays: this.#claim.stays };
    const isHome =
      isPresent && refusesSpec(this.wanted.spec, site.node, claim, this.pinned) === undefined;
    if (!isHome) return this.#homes.delete(replica);
    const isNew = this.#homes.get(replica) !== site;
    this.#homes.set(replica, site);
    return isNew;
  }

  /** Why an incumbent may not stay. */
  dismisses(replica: ReplicaId, site: Site): Filter | undefined {
    const { spec } = this.wanted;
    const fixed = refusesSpec(spec, site.node, this.#claim, this.pinned);
    return fixed ?? this.refusesNow(replica, site);
  }

  /** Of the filters past the fixed ones, the first that refuses. */
  refusesNow(replica: ReplicaId, site: Site): Filter | undefined {
    if (this.isRefused(replica, site)) return "no-fit";
    const lacks = this.isExclusive ? site.room.lacks(this.demand) : undefined;
    return lacks ?? refusesCrowd(this.demand, this.#counts?.get(site) ?? 0);
  }

  isRefused(replica: ReplicaId, site: Site): boolean {
    return this.#refusals.size > 0 && (this.#refusals.get(replica)?.has(site.id) ?? false);
  }

  keep(replica: ReplicaId, site: Site): void {
    if (this.#kept === nowhere) this.#kept = new Map();
    this.#kept.set(replica, site);
    site.kept.add(replica);
    this.#enter(replica, site);
  }

  /** Room is not given back: the site's is counted anew. */
  unkeep(replica: ReplicaId): Site | undefined {
    const site = this.#kept.get(replica);
    if (site === undefined) return undefined;
    this.#kept.delete(replica);
    site.kept.delete(replica);
    this.#leave(replica, site);
    return site;
  }

  /** The sites it was kept on. */
  unkeepAll(): Site[] {
    return [...this.#kept.keys()].flatMap((replica) => this.unkeep(replica) ?? []);
  }

  take(replica: ReplicaId, site: Site): void {
    if (this.#newcomers === nowhere) this.#newcomers = new Map();
    this.#newcomers.set(replica, site);
    this.#enter(replica, site);
  }

  /** As if no newcomer had been placed yet. */
  dropNewcomers(): void {
    for (const [replica, site] of this.#newcomers) {
      if (this.isExclusive) site.room.release(this.demand);
      this.#leave(replica, site);
    }
    this.#newcomers = nowhere;
    this.missing = 0;
    this.rejections = {};
  }

  #enter(replica: ReplicaId, site: Site): void {
    if (this.isExclusive) site.room.take(this.demand);
    this.#counts?.set(site, (this.#counts.get(site) ?? 0) + 1);
    this.#changes.set(replica, site.id);
  }

  #leave(replica: ReplicaId, site: Site): void {
    this.#counts?.set(site, (this.#counts.get(site) ?? 0) - 1);
    this.#changes.set(replica, undefined);
  }
}

const none: ReadonlyMap<ReplicaId, ReadonlySet<NodeId>> = new Map();

function byReplica(refusals: readonly Refusal[]): ReadonlyMap<ReplicaId, ReadonlySet<NodeId>> {
  if (refusals.length === 0) return none;
  const groups = new Map<ReplicaId, Set<NodeId>>();
  for (const { replica, node } of refusals) {
    const nodes = groups.get(replica);
    if (nodes === undefined) groups.set(replica, new Set([node]));
    else nodes.add(node);
  }
  return groups;
}

function slotsOf(service: ServiceId, replicas: number): ReplicaId[] {
  const slots: ReplicaId[] = [];
  for (let slot = 1; slot <= replicas; slot++) slots.push(replicaId(service, slot));
  return slots;
}
