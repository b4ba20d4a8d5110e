/**
 * The routing table: all endpoints by service and published port. Derived on every node from the
 * rows it has, never stored, never sent. The data path and DNS are told the whole table each time.
 */

import type { NodeId, ReplicaId, ServiceId, TaskId } from "./ids.ts";
import type { PortKey } from "./spec.ts";

export type RoutingTable = { readonly services: readonly ServiceRoute[] };

export type ServiceRoute = {
  readonly service: ServiceId;
  readonly endpointMode: "vip" | "dnsrr";
  /** Ports that this node must listen on for this service. Empty when another service has them. */
  readonly published: readonly Listener[];
  /** Target ports, published or exposed, for SRV answers. */
  readonly targets: readonly PortKey[];
  /** Ready endpoints on nodes believed alive, and draining ones. Sorted by replica, then task. */
  readonly endpoints: readonly Endpoint[];
};

export type Listener = {
  readonly published: number;
  readonly target: number;
  readonly protocol: "tcp" | "udp";
};

export type Endpoint = {
  readonly task: TaskId;
  readonly replica: ReplicaId;
  /** "1", "2", … or the node's name for a global service: the <n> of <n>.<service>. */
  readonly slot: string;
  readonly node: NodeId;
  /** On this very node: connect directly, else through the node's forward stream. */
  readonly local: boolean;
  readonly address: string;
  readonly ports: Readonly<Record<PortKey, number>>;
  /** Of the node's label "zone"; "" without. */
  readonly zone: string;
  /** Keeps its open connections, gets no new ones, and is in no DNS answer. */
  readonly draining: boolean;
};
