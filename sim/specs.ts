/** Specs as simulated operators write them. */

import type { NodeId, ServiceId } from "../model/ids.ts";
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
  /** The one host that lacks what it needs; "" when all have it. */
  readonly impossibleOn: string;
};

export function drawWish(
  service: ServiceId,
  published: number,
  hosts: readonly NodeId[],
  random: SeededRandom,
): Wish {
  const isGlobal = random.chance(15);
  return {
    service,
    mode: isGlobal ? "global" : "replicated",
    isolation: random.pick(["run", "run", "run", "majority", "stay"] as const),
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
    // A global service would wait for that host for ever, and rightly so.
    impossibleOn: !isGlobal && hosts.length > 1 && random.chance(15) ? random.pick(hosts) : "",
  };
}

export function specOf(wish: Wish): ServiceSpec {
  const { service, mode, isolation, update, published, version, broken } = wish;
  const env = {
    VERSION: String(version),
    ...(broken ? { BROKEN: "yes" } : {}),
    ...(wish.impossibleOn === "" ? {} : { IMPOSSIBLE_ON: wish.impossibleOn }),
  };
  return {
    service,
    workload: {
      kind: "process",
      command: ["serve"],
      env,
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
