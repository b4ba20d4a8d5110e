/** Which sites the fixed filters let a class of services use, and why not the others. */

import type { ServiceSpec } from "../model/spec.ts";
import { type Filter, newcomer, type Pins, refusesSpec } from "./filters.ts";
import type { Site } from "./site.ts";

/** Services that ask for the same share one of these. */
export class Eligible {
  /** In no order that means anything. */
  readonly sites: Site[] = [];
  readonly #refusals = new Map<Site, Filter>();
  /** Of every site so far; undefined once two differed. */
  #weight: number | undefined;
  readonly #spec: ServiceSpec;
  readonly #pins: Pins | undefined;

  constructor(spec: ServiceSpec, pins: Pins | undefined, sites: Iterable<Site>) {
    this.#spec = spec;
    this.#pins = pins;
    for (const site of sites) this.add(site);
  }

  /** Filter → sites that it rules out for a replica which runs nowhere yet. */
  rejections(): Map<Filter, number> {
    const counts = new Map<Filter, number>();
    for (const filter of this.#refusals.values()) counts.set(filter, (counts.get(filter) ?? 0) + 1);
    return counts;
  }

  refuses(site: Site): Filter | undefined {
    return this.#refusals.get(site);
  }

  add(site: Site): void {
    const filter = refusesSpec(this.#spec, site.node, newcomer, this.#pins);
    if (filter !== undefined) {
      this.#refusals.set(site, filter);
      return;
    }
    if (this.sites.length === 0) this.#weight = site.weight;
    else if (this.#weight !== site.weight) this.#weight = undefined;
    this.sites.push(site);
  }

  /** All sites have the same weight, so that the higher hash alone decides. */
  get haveOneWeight(): boolean {
    return this.#weight !== undefined;
  }

  remove(site: Site): void {
    if (this.#refusals.delete(site)) return;
    const at = this.sites.indexOf(site);
    const last = this.sites.pop();
    if (last !== undefined && last !== site) this.sites[at] = last;
  }
}

/** Equal for services that the fixed filters treat alike. */
export function eligibleKey({ workload, placement }: ServiceSpec, pins: Pins | undefined): string {
  const isPlain = placement.constraints.length === 0 && workload.kind === "container";
  if (isPlain && !workload.platform && workload.mounts.length === 0) return "";
  if (workload.kind === "process") return JSON.stringify([placement.constraints]);
  const holders = workload.mounts.flatMap((mount) => {
    const source = mount.kind === "volume" ? mount.source : undefined;
    return source === undefined ? [] : [pins?.get(source) ?? ""];
  });
  return JSON.stringify([placement.constraints, workload.platform ?? "", holders]);
}
