/**
 * The routing table, derived: ready and draining tasks on members believed alive, by service and
 * published port. A suspect member's endpoints are out at once; its replicas move only when it is
 * down. Pure.
 */

import { compareIds, type NodeId, type ServiceId, splitReplicaId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { Endpoint, Listener, RoutingTable, ServiceRoute } from "../model/routing.ts";
import type { PortKey, PublishedPort } from "../model/spec.ts";
import type { Desired, Member, WantedService } from "./desired.ts";
import type { PlacedTask } from "./rollout.ts";

export type Routing = { readonly table: RoutingTable; readonly problems: readonly Problem[] };

export function deriveRouting(desired: Desired, self: NodeId): Routing {
  const members = new Map(desired.members.map((member) => [member.node, member]));
  const claims = claimPorts(desired.services);
  const services = desired.services.map((service): ServiceRoute => {
    const ingress = service.spec.ports.filter(({ mode }) => mode === "ingress");
    return {
      service: service.service,
      endpointMode: service.spec.endpointMode,
      published: ingress
        .filter((port) => claims.holders.get(claimKey(port)) === service.service)
        .map(({ published, target, protocol }): Listener => ({ published, target, protocol })),
      targets: targetsOf(service),
      endpoints: service.tasks
        .map((task) => endpointOf(task, members.get(task.node), self))
        .filter((endpoint) => endpoint !== undefined)
        .sort(
          (left, right) =>
            compareIds(left.replica, right.replica) || compareIds(left.task, right.task),
        ),
    };
  });
  return { table: { services }, problems: claims.problems };
}

function targetsOf(service: WantedService): PortKey[] {
  const targets = new Set<PortKey>(service.spec.expose);
  for (const { target, protocol } of service.spec.ports) targets.add(`${target}/${protocol}`);
  return [...targets].sort(compareIds) as PortKey[];
}

function endpointOf(
  task: PlacedTask,
  member: Member | undefined,
  self: NodeId,
): Endpoint | undefined {
  const serving = task.state === "running" || task.state === "draining";
  if (!serving || !task.ready || task.endpoint === undefined) return undefined;
  if (member === undefined || member.status !== "alive") return undefined;
  const { slot } = splitReplicaId(task.replica);
  return {
    task: task.task,
    replica: task.replica,
    slot: slot === task.node ? (member.rows.facts?.name ?? slot) : slot,
    node: task.node,
    local: task.node === self,
    address: task.endpoint.address,
    ports: task.endpoint.ports,
    zone: member.labels["zone"] ?? "",
    draining: task.state === "draining",
  };
}

type Claims = {
  readonly holders: ReadonlyMap<string, ServiceId>;
  readonly problems: readonly Problem[];
};

/** Two services may claim one port on two sides of a partition; the older one keeps it. */
export function claimPorts(
  services: readonly Pick<WantedService, "service" | "spec" | "createdAtMs">[],
): Claims {
  const holders = new Map<string, ServiceId>();
  const problems: Problem[] = [];
  const byAge = [...services].sort(
    (left, right) =>
      left.createdAtMs - right.createdAtMs || compareIds(left.service, right.service),
  );
  for (const { service, spec } of byAge) {
    for (const port of spec.ports) {
      if (port.mode !== "ingress") continue;
      const holder = holders.get(claimKey(port));
      if (holder === undefined) holders.set(claimKey(port), service);
      else if (holder !== service) problems.push(portClaimed(port, service, holder));
    }
  }
  return { holders, problems };
}

function claimKey({ published, protocol }: PublishedPort): string {
  return `${published}/${protocol}`;
}

function portClaimed(port: PublishedPort, service: ServiceId, holder: ServiceId): Problem {
  const { published, protocol } = port;
  return { code: "port-claimed", port: published, protocol, service, holder };
}
