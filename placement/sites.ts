/**
 * The nodes as the placer remembers them: one `Site` per node, kept while the node is known, with
 * what never changes about it computed once. Also which sites a class of services may use, and
 * into which groups a spread preference sorts them.
 */

import type { NodeId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { attributeOf } from "./attributes.ts";
import { newcomer, type Pins, refusesSpec } from "./filters.ts";
import type { NodeCandidate } from "./input.ts";
import { type Candidate, digest } from "./rendezvous.ts";
import { Room } from "./room.ts";

export type Site = Candidate & {
  readonly id: NodeId;
  /** Small and dense, for arrays by site; reused after the node has gone. */
  readonly index: number;
  node: NodeCandidate;
  weight: number;
  room: Room;
};

/** Nodes that came, went or changed between two questions. */
export type SiteChanges = { readonly gone: readonly Site[]; readonly come: readonly Site[] };

/** Services that ask for the same share one list of eligible sites. */
export class Eligible {
  readonly sites: Site[];
  readonly #spec: ServiceSpec;
  readonly #pins: Pins | undefined;
  /** The last question and its answer: a join asks the same of every service of this class. */
  #asked: { site: Site; node: NodeCandidate; accepts: boolean } | undefined;

  constructor(spec: ServiceSpec, pins: Pins | undefined, sites: Iterable<Site>) {
    this.#spec = spec;
    this.#pins = pins;
    this.sites = [...sites].filter((site) => this.accepts(site));
  }

  accepts(site: Site): boolean {
    if (this.#asked?.site !== site || this.#asked.node !== site.node) {
      const accepts = refusesSpec(this.#spec, site.node, newcomer, this.#pins) === undefined;
      this.#asked = { site, node: site.node, accepts };
    }
    return this.#asked.accepts;
  }

  remove(site: Site): void {
    const at = this.sites.indexOf(site);
    if (at >= 0) this.sites.splice(at, 1);
  }

  add(site: Site): void {
    if (this.accepts(site)) this.sites.push(site);
  }
}

/** Sites sorted into groups that share attributes, one list per depth: by zone, by zone and rack. */
export class Spread {
  readonly depth: number;
  /** By depth, by site index: the number of the site's group. */
  readonly groups: readonly number[][];
  readonly #keys: readonly string[];
  readonly #numbers = new Map<string, number>();

  constructor(keys: readonly string[], sites: Iterable<Site>) {
    this.#keys = keys;
    this.depth = keys.length;
    this.groups = keys.map(() => []);
    for (const site of sites) this.sort(site);
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
      }
      (this.groups[depth] as number[])[index] = number;
    }
  }
}

/** Lists of eligible sites that are kept; beyond it they are made anew, to bound memory. */
const eligibleMax = 256;

export class Sites {
  readonly #byId = new Map<NodeId, Site>();
  readonly #free: number[] = [];
  readonly #eligible = new Map<string, Eligible>();
  readonly #spreads = new Map<string, Spread>();

  get(node: NodeId): Site | undefined {
    return this.#byId.get(node);
  }

  values(): Iterable<Site> {
    return this.#byId.values();
  }

  /** One more than the highest index. */
  get span(): number {
    return this.#byId.size + this.#free.length;
  }

  /** Takes in the present nodes. A node that changed has both gone and come. */
  update(nodes: readonly NodeCandidate[]): SiteChanges {
    const come: Site[] = [];
    const gone: Site[] = [];
    for (const node of nodes) {
      const site = this.#byId.get(node.node);
      if (site === undefined) come.push(this.#add(node));
      else if (site.node !== node) {
        if (!isSame(site.node, node)) {
          gone.push(site);
          come.push(site);
        }
        site.node = node;
        site.weight = node.weight;
      }
    }
    if (this.#byId.size > nodes.length) gone.push(...this.#removeAbsent(nodes));
    for (const site of gone) for (const list of this.#eligible.values()) list.remove(site);
    for (const site of come) {
      for (const list of this.#eligible.values()) list.add(site);
      for (const spread of this.#spreads.values()) spread.sort(site);
    }
    return { gone, come };
  }

  eligible(spec: ServiceSpec, pins: Pins | undefined): Eligible {
    const key = eligibleKey(spec, pins);
    let eligible = this.#eligible.get(key);
    if (eligible === undefined) {
      if (this.#eligible.size >= eligibleMax) this.#eligible.clear();
      eligible = new Eligible(spec, pins, this.#byId.values());
      this.#eligible.set(key, eligible);
    }
    return eligible;
  }

  spread(keys: readonly string[]): Spread {
    const name = JSON.stringify(keys);
    let spread = this.#spreads.get(name);
    if (spread === undefined) {
      spread = new Spread(keys, this.#byId.values());
      this.#spreads.set(name, spread);
    }
    return spread;
  }

  #add(node: NodeCandidate): Site {
    const index = this.#free.pop() ?? this.#byId.size;
    const { node: id, weight } = node;
    const site = { id, digest: digest(id), weight, index, node, room: new Room(node) };
    this.#byId.set(id, site);
    return site;
  }

  #removeAbsent(nodes: readonly NodeCandidate[]): Site[] {
    const present = new Set(nodes.map(({ node }) => node));
    const absent = [...this.#byId.values()].filter(({ id }) => !present.has(id));
    for (const { id, index } of absent) {
      this.#byId.delete(id);
      this.#free.push(index);
    }
    return absent;
  }
}

/** Equal for services that the fixed filters treat alike. */
function eligibleKey({ workload, placement }: ServiceSpec, pins: Pins | undefined): string {
  if (workload.kind === "process") return JSON.stringify([placement.constraints]);
  const holders = workload.mounts.flatMap((mount) => {
    const source = mount.kind === "volume" ? mount.source : undefined;
    return source === undefined ? [] : [pins?.get(source) ?? ""];
  });
  return JSON.stringify([placement.constraints, workload.platform ?? "", holders]);
}

function isSame(left: NodeCandidate, right: NodeCandidate): boolean {
  return (
    left.alive === right.alive &&
    left.availability === right.availability &&
    left.weight === right.weight &&
    left.name === right.name &&
    left.role === right.role &&
    left.os === right.os &&
    left.arch === right.arch &&
    left.cpuMilli === right.cpuMilli &&
    left.memoryBytes === right.memoryBytes &&
    left.engines.length === right.engines.length &&
    left.engines.every((engine, index) => engine === right.engines[index]) &&
    haveSameLabels(left.labels, right.labels)
  );
}

function haveSameLabels(left: NodeCandidate["labels"], right: NodeCandidate["labels"]): boolean {
  if (left === right) return true;
  let count = 0;
  for (const key in left) {
    if (left[key] !== right[key]) return false;
    count++;
  }
  return Object.keys(right).length === count;
}
