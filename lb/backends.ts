/**
 * The endpoints behind one target port of a service, with their balancer and the clients that
 * wait for one. It outlives each routing table that names the service. Pure.
 */

import type { Endpoint } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import { Balancer } from "./balancer.ts";

export class Backends {
  readonly port: PortKey;
  readonly balancer: Balancer;
  readonly #listeners = new Set<() => void>();

  constructor(port: PortKey, below: (bound: number) => number) {
    this.port = port;
    this.balancer = new Balancer(below);
  }

  update(endpoints: readonly Endpoint[], zone: string, nowMs: number): void {
    const serving = endpoints.filter(({ ports }) => ports[this.port] !== undefined);
    this.balancer.update(serving, zone, nowMs);
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls after each update, until the returned function is called. */
  onUpdate(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
