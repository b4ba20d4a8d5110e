/**
 * The nodes as the placer remembers them, found by id, and what is derived from all of them: which
 * sites a class of services may use, and into which groups a spread preference sorts them.
 */

import type { NodeId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { Difference } from "./difference.ts";
import { Eligible } from "./eligible.ts";
import type { Pins } from "./filters.ts";
import type { NodeCandidate } from "./input.ts";
import { makeSite, type Site } from "./site.ts";
import { Spread } from "./spread.ts";

/** Classes of services and spreads that are kept; beyond it they are made anew: bounded memory. */
const eligibleMax = 256;
const spreadsMax = 64;
/** When more nodes changed than this at once, lists are cheaper made anew than mended. */
const mendedMax = 64;

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

  /** The sites that came, went or changed. */
  update({ gone, come }: Difference<NodeCandidate>): Site[] {
    const present = new Set(come.map(({ node }) => node));
    const old = gone.flatMap(({ node }) => this.#byId.get(node) ?? []);
    const absent = old.filter(({ id }) => !present.has(id));
    for (const { id, index } of absent) {
      this.#byId.delete(id);
      this.#free.push(index);
    }
    const now = come.map((node) => this.#put(node));
    this.#mend(old, now);
    return [...absent, ...now];
  }

  /** The sites that services like this one may use. */
  eligible(spec: ServiceSpec, pins: Pins | undefined, key: string): Eligible {
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
      if (this.#spreads.size >= spreadsMax) this.#spreads.clear();
      spread = new Spread(keys, this.#byId.values());
      this.#spreads.set(name, spread);
    }
    return spread;
  }

  #put(node: NodeCandidate): Site {
    const known = this.#byId.get(node.node);
    if (known !== undefined) {
      known.node = node;
      known.weight = node.weight;
      return known;
    }
    const site = makeSite(node, this.#free.pop() ?? this.#byId.size);
    this.#byId.set(site.id, site);
    return site;
  }

  #mend(old: readonly Site[], now: readonly Site[]): void {
    if (old.length + now.length > mendedMax) {
      this.#eligible.clear();
      this.#spreads.clear();
      return;
    }
    for (const list of this.#eligible.values()) {
      for (const site of old) list.remove(site);
      for (const site of now) list.add(site);
    }
    for (const [name, spread] of this.#spreads) {
      for (const site of now) spread.sort(site);
      if (spread.isStale(this.#byId.size)) this.#spreads.delete(name);
    }
  }
}
