/** Orders and specs for the tests of engines: small, valid, each with an id of its own. */

import { randomBytes } from "node:crypto";
import type { MeshId, NodeId, ReplicaId, RevisionId, ServiceId, TaskId } from "../../model/ids.ts";
import type { Check, ContainerWorkload, ServiceSpec, UpdateSpec } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";

export const node = "12D3KooWEngineTest" as NodeId;
export const otherNode = "12D3KooWSomebodyElse" as NodeId;

const update: UpdateSpec = {
  parallelism: 1,
  delayMs: 0,
  order: "start-first",
  monitorMs: 5_000,
  failureAction: "pause",
  maxFailureRatio: 0,
};

export function newMesh(): MeshId {
  return randomBytes(32).toString("hex") as MeshId;
}

export function newSpec(
  workload: ServiceSpec["workload"],
  more: Partial<ServiceSpec> = {},
): ServiceSpec {
  return {
    service: "shop/web" as ServiceId,
    workload,
    mode: "replicated",
    ports: [],
    expose: [],
    endpointMode: "vip",
    placement: { algorithm: 1, priority: 0, constraints: [], spread: [], maxPerNode: 0 },
    resources: {},
    health: { disabled: false },
    update,
    rollback: update,
    restart: { condition: "any", delayMs: 0, maxAttempts: 0, windowMs: 0 },
    isolation: "run",
    labels: {},
    ...more,
  };
}

export function newOrder(
  mesh: MeshId,
  spec: ServiceSpec,
  more: Partial<StartOrder> = {},
): StartOrder {
  const replica = `${spec.service}.1` as ReplicaId;
  return {
    mesh,
    node,
    nodeName: "first",
    task: `${replica}.${randomBytes(6).toString("hex")}` as TaskId,
    replica,
    slot: "1",
    revision: "0123456789abcdef0123456789abcdef" as RevisionId,
    spec,
    dnsAddress: "",
    subnet: "",
    ...more,
  };
}

export function newCheck(test: Check["test"], more: Partial<Check> = {}): Check {
  return { test, intervalMs: 200, timeoutMs: 2_000, retries: 2, startPeriodMs: 0, ...more };
}

export const httpPort = { published: 8080, target: 80, protocol: "tcp", mode: "ingress" } as const;

/** Of the image that the tests' daemons have: see own-dockerd.ts. */
export function newContainer(more: Partial<ContainerWorkload> = {}): ContainerWorkload {
  const plain = { env: {}, containerLabels: {}, mounts: [], command: ["sleep", "600"] };
  return { kind: "container", image: "busy:1", pull: "never", ...plain, ...more };
}

/** Somewhere in 10.128.0.0/9, so that two runs side by side do not meet. */
export function randomSubnet(): string {
  const part = (first: number, count: number) => first + Math.floor(Math.random() * count);
  return `10.${part(128, 128)}.${part(0, 256)}.0/24`;
}
