/** Specs as simulated operators write them. */

import type { ServiceId } from "../model/ids.ts";
import type { ServiceSpec, UpdateSpec } from "../model/spec.ts";
import type { SeededRandom } from "./random.ts";

/** What varies between services, and between revisions of one. */
export type Wish = {
  readonly service: ServiceId;
  readonly mode: ServiceSpec["mode"];
  readonly isolation: ServiceSpec["isolation"];
  readonly update: UpdateSpec;
  readonly published: number;
  readonly version: number;
  /** This revision never comes up. */
  readonly broken: boolean;
};

export function drawWish(service: ServiceId, published: number, random: SeededRandom): Wish {
  return {
    service,
    mode: random.chance(15) ? "global" : "replicated",
    isolation: random.chance(20) ? "majority" : "run",
    update: {
      parallelism: random.below(4),
      delayMs: random.pick([0, 0, 300]),
      order: random.chance(20) ? "stop-first" : "start-first",
      monitorMs: 2_000,
      failureAction: random.pick(["pause", "continue", "rollback"] as const),
      maxFailureRatio: random.pick([0, 0, 0.5]),
    },
    published,
    version: 1,
    broken: false,
  };
}

export function specOf(wish: Wish): ServiceSpec {
  const { service, mode, isolation, update, published, version, broken } = wish;
  return {
    service,
    workload: {
      kind: "process",
      command: ["serve"],
      env: { VERSION: String(version), ...(broken ? { BROKEN: "yes" } : {}) },
    },
    mode,
    ports: [{ published, target: 80, protocol: "tcp", mode: "ingress" }],
    expose: [],
    endpointMode: "vip",
    placement: { algorithm: 1, priority: 0, constraints: [], spread: [], maxPerNode: 0 },
    resources: {},
    health: { disabled: false },
    update,
    rollback: update,
    restart: { condition: "any", delayMs: 500, maxAttempts: 0, windowMs: 0 },
    isolation,
    labels: {},
  };
}
