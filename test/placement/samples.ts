/** Nodes and services to place, of which a test says only what matters to it. */

import type { NodeId, RevisionId, ServiceId } from "../../model/ids.ts";
import type { ContainerWorkload, PublishedPort, ServiceSpec } from "../../model/spec.ts";
import type { NodeCandidate, PlacementInput, Wanted } from "../../placement/input.ts";

export function candidate(node: string, said: Partial<NodeCandidate> = {}): NodeCandidate {
  return {
    node: node as NodeId,
    name: `${node}-name`,
    role: "peer",
    alive: true,
    availability: "active",
    labels: {},
    os: "linux",
    arch: "x64",
    engines: ["docker", "process"],
    cpuMilli: 4000,
    memoryBytes: 8e9,
    weight: 1,
    ...said,
  };
}

type Said = Partial<Pick<ServiceSpec, "mode" | "ports" | "resources" | "workload">> & {
  readonly placement?: Partial<ServiceSpec["placement"]>;
};

const never = {
  parallelism: 1,
  delayMs: 0,
  order: "stop-first",
  monitorMs: 0,
  failureAction: "pause",
  maxFailureRatio: 0,
} as const;

export const container: ContainerWorkload = {
  kind: "container",
  image: "hello",
  env: {},
  containerLabels: {},
  mounts: [],
};

export function serviceSpec(service: string, said: Said = {}): ServiceSpec {
  const placement = {
    algorithm: 1,
    priority: 0,
    constraints: [],
    spread: [],
    maxPerNode: 0,
  } as const;
  return {
    service: service as ServiceId,
    workload: container,
    mode: "replicated",
    ports: [],
    expose: [],
    endpointMode: "vip",
    resources: {},
    health: { disabled: false },
    update: never,
    rollback: never,
    restart: { condition: "any", delayMs: 0, maxAttempts: 0, windowMs: 0 },
    isolation: "run",
    labels: {},
    ...said,
    placement: { ...placement, ...said.placement },
  };
}

export function wanted(service: string, replicas = 1, said: Said = {}, createdAtMs = 1): Wanted {
  const revision = "0".repeat(32) as RevisionId;
  return { spec: serviceSpec(service, said), revision, replicas, createdAtMs };
}

export function hostPort(published: number): PublishedPort {
  return { published, target: 80, protocol: "tcp", mode: "host" };
}

export function question(
  nodes: readonly NodeCandidate[],
  services: readonly Wanted[],
  said: Partial<PlacementInput> = {},
): PlacementInput {
  return { nodes, wanted: services, incumbents: [], refusals: [], ...said };
}
