/**
 * What the two kinds of replicated document hold. crdt/ moves them as bytes and knows none of this.
 *
 * Spec documents are keyed "service/<namespace>/<name>", "scale/<namespace>/<name>" and
 * "node/<node id>"; operators write them. Rows are parts of a node's own document, keyed "node",
 * "task/<task id>", "no-fit/<replica id>" and "accuse/<node id>"; only that node writes them.
 */

import type { NodeId, ReplicaId, RevisionId, ServiceId, TaskId } from "./ids.ts";
import type { PortKey, ServiceSpec } from "./spec.ts";

export type SpecDocument = Readonly<
  | { kind: "service"; spec: ServiceSpec; pause?: boolean }
  | { kind: "scale"; service: ServiceId; replicas: number }
  | {
      kind: "node";
      node: NodeId;
      availability: "active" | "pause" | "drain";
      labels: Readonly<Record<string, string>>;
    }
>;

export type Row = Readonly<
  | ({ kind: "node" } & NodeFacts)
  | ({ kind: "task" } & TaskFacts)
  | { kind: "no-fit"; replica: ReplicaId; revision: RevisionId; reason: string; untilMs: number }
  | { kind: "accuse"; accused: NodeId; incarnation: number }
>;

/** What a node says of itself. */
export type NodeFacts = {
  /** For people and for node.hostname constraints. Need not be unique. */
  readonly name: string;
  /** Multiaddrs without the peer id, best first. At most 8. */
  readonly addresses: readonly string[];
  /** UDP port for probes; 0 when UDP is not to be had. */
  readonly probePort: number;
  readonly version: string;
  /** Lowest and highest protocol level spoken. */
  readonly protocol: readonly [number, number];
  readonly os: string;
  readonly arch: string;
  readonly engines: readonly EngineKind[];
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** Labels from the agent's own command line; an operator's labels win over them. */
  readonly labels: Readonly<Record<string, string>>;
  /** IPv4 CIDR the node's containers get addresses from, "" without a docker engine. */
  readonly subnet: string;
  /** Which way service traffic takes on this node, shown in `node ls`. */
  readonly dataPath: "userspace" | "kernel";
  /** Why the node cannot be relied on just now: an engine gone, a disk full. Codes of problems. */
  readonly ailments: readonly string[];
};

export type EngineKind = "docker" | "process";

/** Moves forward only; a task is replaced, never restarted. */
export type TaskState =
  | "preparing"
  | "starting"
  | "running"
  | "draining"
  | "stopping"
  | "complete"
  | "failed";

export type TaskFacts = {
  readonly task: TaskId;
  readonly replica: ReplicaId;
  readonly service: ServiceId;
  readonly revision: RevisionId;
  readonly engine: EngineKind;
  readonly state: TaskState;
  /** Takes traffic: running, healthy and ready. */
  readonly ready: boolean;
  readonly health: "none" | "starting" | "healthy" | "unhealthy";
  /** Unix ms by the node's own clock. */
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  /** Tasks of this replica that failed in a row before this one, on this node. */
  readonly failures: number;
  /** Where it answers; absent until it runs. */
  readonly endpoint?: TaskEndpoint;
  readonly exitCode?: number;
  /** One sentence for people: why it failed, or what it waits for. */
  readonly reason?: string;
};

export type TaskEndpoint = {
  /** IPv4 or IPv6, reachable from the task's own node. */
  readonly address: string;
  /** Target port → the port it really listens on at `address`. */
  readonly ports: Readonly<Record<PortKey, number>>;
};
