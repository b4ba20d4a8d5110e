/** What is left on a node while replicas are being placed: resources, host ports, own replicas. */

import type { ServiceId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { Filter } from "./filters.ts";
import type { NodeCandidate } from "./input.ts";

/** What one replica takes of a node. */
export type Demand = {
  readonly service: ServiceId;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** "8080/tcp". */
  readonly hostPorts: readonly string[];
  /** 0: no limit. */
  readonly maxPerNode: number;
};

export function demandOf(spec: ServiceSpec): Demand {
  return {
    service: spec.service,
    cpuMilli: spec.resources.cpuReservationMilli ?? 0,
    memoryBytes: spec.resources.memoryReservationBytes ?? 0,
    hostPorts: spec.ports
      .filter(({ mode }) => mode === "host")
      .map(({ published, protocol }) => `${published}/${protocol}`),
    maxPerNode: spec.placement.maxPerNode,
  };
}

/** True when replicas of different services can be in each other's way. */
export function isExclusive({ cpuMilli, memoryBytes, hostPorts }: Demand): boolean {
  return cpuMilli > 0 || memoryBytes > 0 || hostPorts.length > 0;
}

export class Room {
  #cpuMilli: number;
  #memoryBytes: number;
  readonly #hostPorts = new Set<string>();
  readonly #replicas = new Map<ServiceId, number>();

  constructor({ cpuMilli, memoryBytes }: Pick<NodeCandidate, "cpuMilli" | "memoryBytes">) {
    this.#cpuMilli = cpuMilli;
    this.#memoryBytes = memoryBytes;
  }

  /** The first room filter that refuses one more replica, or undefined. */
  refuses(demand: Demand): Filter | undefined {
    return this.lacks(demand) ?? refusesCrowd(demand, this.countOf(demand.service));
  }

  /** The filters through which services are in each other's way. */
  lacks(demand: Demand): Filter | undefined {
    const fits =
      (demand.cpuMilli === 0 || demand.cpuMilli <= this.#cpuMilli) &&
      (demand.memoryBytes === 0 || demand.memoryBytes <= this.#memoryBytes);
    if (!fits) return "resources";
    return demand.hostPorts.some((port) => this.#hostPorts.has(port)) ? "host-ports" : undefined;
  }

  take(demand: Demand): void {
    this.#cpuMilli -= demand.cpuMilli;
    this.#memoryBytes -= demand.memoryBytes;
    for (const port of demand.hostPorts) this.#hostPorts.add(port);
    this.#count(demand.service, 1);
  }

  /** Undoes one `take`, exactly: amounts are whole and never below zero. */
  release(demand: Demand): void {
    this.#cpuMilli += demand.cpuMilli;
    this.#memoryBytes += demand.memoryBytes;
    for (const port of demand.hostPorts) this.#hostPorts.delete(port);
    this.#count(demand.service, -1);
  }

  #count(service: ServiceId, more: number): void {
    const count = this.countOf(service) + more;
    if (count === 0) this.#replicas.delete(service);
    else this.#replicas.set(service, count);
  }

  /** Replicas of the service placed here so far. */
  countOf(service: ServiceId): number {
    return this.#replicas.get(service) ?? 0;
  }
}

/** How many replicas of one service a node may have, whatever else it has. */
export function refusesCrowd({ maxPerNode }: Demand, count: number): Filter | undefined {
  return maxPerNode > 0 && count >= maxPerNode ? "max-per-node" : undefined;
}
