/**
 * Who runs what: specs, nodes and who runs it already → a node for each replica. A pure function of
 * replicated facts, never of live load, so every node computes the same and obeys its own part.
 *
 * This is the plain statement of the rules, one replica after another; placer.ts computes the same
 * with memory of the last time, and a test holds the two equal. Begin reading at `place`.
 *
 * Invariants:
 * - The order of the inputs' lists does not matter, except through `rank`.
 * - An incumbent stays while its node passes the filters: a join moves nothing, a loss moves only
 *   what was lost.
 * - Newcomers go where the fewest replicas of the service are, first by zone (or what the spec
 *   spreads over), then by node; among equals rendezvous.ts decides.
 */

import {
  compareIds,
  type NodeId,
  type ReplicaId,
  replicaId,
  type ServiceId,
  splitReplicaId,
} from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { attributeOf } from "./attributes.ts";
import { type Claim, type Filter, newcomer, refusesSpec } from "./filters.ts";
import type {
  Incumbent,
  NodeCandidate,
  Placement,
  PlacementInput,
  Unplaced,
  Wanted,
} from "./input.ts";
import { type Candidate, compareRank, digest } from "./rendezvous.ts";
import { demandOf, Room } from "./room.ts";

export type {
  Incumbent,
  NodeCandidate,
  Placement,
  PlacementInput,
  Refusal,
  Unplaced,
  Wanted,
} from "./input.ts";

/** Over what replicas are dealt when the spec does not say. */
const defaultSpread = ["node.labels.zone"];

export function place(input: PlacementInput): Placement {
  const sites = input.nodes.map(
    (node): Site => ({ ...node, id: node.node, digest: digest(node.node), room: new Room(node) }),
  );
  sites.sort((left, right) => compareIds(left.id, right.id));
  const inTurn = [...input.wanted].sort(compareTurns);
  const services = inTurn.map((wanted) => new Service(wanted, input, sites));
  for (const service of services) service.keepIncumbents();
  for (const service of services) service.placeNewcomers();
  const unplaced = services.flatMap((service) => {
    const own = service.unplaced();
    return own === undefined ? [] : ([[service.id, own]] as const);
  });
  return {
    assignments: new Map(services.flatMap((service) => [...service.assigned])),
    unplaced: new Map(unplaced),
  };
}

/** Negative when `left` may take room before `right`: by priority, then age, then id. */
export function compareTurns(left: Wanted, right: Wanted): number {
  return (
    right.spec.placement.priority - left.spec.placement.priority ||
    left.createdAtMs - right.createdAtMs ||
    compareIds(left.spec.service, right.spec.service)
  );
}

/** The keys of what a service is dealt over, outermost first. */
export function spreadOf({ placement }: ServiceSpec): readonly string[] {
  return placement.spread.length === 0 ? defaultSpread : placement.spread;
}

/** A node with what is left on it. */
type Site = NodeCandidate & Candidate & { readonly room: Room };

/** One service while it is being placed. */
class Service {
  readonly id: ServiceId;
  readonly assigned = new Map<ReplicaId, NodeId>();
  readonly #wanted: Wanted;
  readonly #input: PlacementInput;
  readonly #sites: readonly Site[];
  #missing = 0;
  #rejections: Record<string, number> | undefined;

  constructor(wanted: Wanted, input: PlacementInput, sites: readonly Site[]) {
    this.id = wanted.spec.service;
    this.#wanted = wanted;
    this.#input = input;
    this.#sites = sites;
  }

  keepIncumbents(): void {
    for (const replica of this.#slots()) {
      const holders = this.#incumbents(replica)
        .map(({ node }) => this.#sites.find(({ id }) => id === node))
        .filter((site) => site !== undefined);
      const stays = this.#input.stay?.has(this.id) ?? false;
      const keeper = holders.find(
        (site) => !this.#refuses(replica, site, { incumbent: true, stays }),
      );
      if (keeper !== undefined) this.#take(replica, keeper);
    }
  }

  placeNewcomers(): void {
    for (const replica of this.#slots()) {
      if (this.assigned.has(replica)) continue;
      const eligible = this.#sites.filter((site) => this.#accepts(replica, site));
      const [best] = eligible.sort((left, right) => this.#compare(left, right));
      if (best !== undefined) this.#take(replica, best);
      else this.#miss(replica);
    }
  }

  unplaced(): Unplaced | undefined {
    if (this.#missing > 0) return { replicas: this.#missing, rejections: this.#rejections ?? {} };
    const idle = this.#wanted.spec.mode === "global" && this.assigned.size === 0;
    return idle ? { replicas: 0, rejections: this.#countRejections() } : undefined;
  }

  /** Replicas in the order in which they are placed. */
  #slots(): ReplicaId[] {
    const { spec, replicas } = this.#wanted;
    if (spec.mode === "replicated") {
      return Array.from({ length: replicas }, (_, index) => replicaId(this.id, index + 1));
    }
    return this.#sites
      .map(({ id }) => replicaId(this.id, id))
      .filter((replica) => this.#wantsGlobal(replica));
  }

  /** A global service has a replica for each node that the fixed filters let through. */
  #wantsGlobal(replica: ReplicaId): boolean {
    const { slot } = splitReplicaId(replica);
    const site = this.#sites.find(({ id }) => id === slot);
    if (site === undefined) return false;
    const incumbent = this.#incumbents(replica).length > 0;
    const stays = this.#input.stay?.has(this.id) ?? false;
    const { spec } = this.#wanted;
    return refusesSpec(spec, site, { incumbent, stays }, this.#input.pinned) === undefined;
  }

  /** Best first. A global replica belongs on its own node. */
  #incumbents(replica: ReplicaId): Incumbent[] {
    const { slot } = splitReplicaId(replica);
    const isGlobal = this.#wanted.spec.mode === "global";
    return this.#input.incumbents
      .filter((one) => one.replica === replica && (!isGlobal || one.node === slot))
      .sort((left, right) => left.rank - right.rank || compareIds(left.node, right.node));
  }

  #accepts(replica: ReplicaId, site: Site): boolean {
    const elsewhere =
      this.#wanted.spec.mode === "global" && splitReplicaId(replica).slot !== site.id;
    return !elsewhere && this.#refuses(replica, site, newcomer) === undefined;
  }

  #refuses(replica: ReplicaId, site: Site, claim: Claim): Filter | undefined {
    const { spec, revision } = this.#wanted;
    const fixed = refusesSpec(spec, site, claim, this.#input.pinned);
    if (fixed !== undefined) return fixed;
    const refused = this.#input.refusals.some(
      (one) => one.replica === replica && one.revision === revision && one.node === site.id,
    );
    return refused ? "no-fit" : site.room.refuses(demandOf(spec));
  }

  #take(replica: ReplicaId, site: Site): void {
    site.room.take(demandOf(this.#wanted.spec));
    this.assigned.set(replica, site.id as NodeId);
  }

  #miss(replica: ReplicaId): void {
    this.#missing++;
    this.#rejections ??= this.#countRejections(replica);
  }

  #countRejections(replica?: ReplicaId): Record<string, number> {
    const counts: Record<string, number> = {};
    const { slot } = splitReplicaId(replica ?? replicaId(this.id, ""));
    for (const site of this.#sites) {
      const filter = this.#refuses(replica ?? replicaId(this.id, site.id), site, newcomer);
      const counted =
        this.#wanted.spec.mode === "replicated" || replica === undefined || slot === site.id;
      if (filter !== undefined && counted) counts[filter] = (counts[filter] ?? 0) + 1;
    }
    return counts;
  }

  /** Negative when the left site is the better place for one more replica. */
  #compare(left: Site, right: Site): number {
    const keys = spreadOf(this.#wanted.spec);
    for (let depth = 1; depth <= keys.length; depth++) {
      const fewer =
        this.#countIn(left, keys.slice(0, depth)) - this.#countIn(right, keys.slice(0, depth));
      if (fewer !== 0) return fewer;
    }
    return (
      left.room.countOf(this.id) - right.room.countOf(this.id) ||
      compareRank(digest(this.id), left, right)
    );
  }

  /** Replicas of this service on nodes that share these attributes with the site. */
  #countIn(site: Site, keys: readonly string[]): number {
    const isNear = (other: Site) =>
      keys.every((key) => attributeOf(other, key) === attributeOf(site, key));
    return this.#sites.filter(isNear).reduce((count, { room }) => count + room.countOf(this.id), 0);
  }
}
