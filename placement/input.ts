/**
 * What placement is asked and what it answers. Plain data, made afresh for each question, but for
 * specs: those are known by being the same object.
 */

import type { EngineKind } from "../model/documents.ts";
import type { NodeId, ReplicaId, RevisionId, ServiceId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";

/** A node as placement sees it. */
export type NodeCandidate = {
  readonly node: NodeId;
  readonly name: string;
  readonly role: string;
  /** Not down. A suspect node keeps its replicas and may be given more. */
  readonly alive: boolean;
  readonly availability: "active" | "pause" | "drain";
  readonly labels: Readonly<Record<string, string>>;
  readonly os: string;
  readonly arch: string;
  readonly engines: readonly EngineKind[];
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** Whole, 1 to 64, from the node's capacity class: its share of what is placed. */
  readonly weight: number;
};

export type Wanted = {
  readonly spec: ServiceSpec;
  readonly revision: RevisionId;
  /** Of a replicated service; a global one has as many as there are eligible nodes. */
  readonly replicas: number;
  /** Unix ms. Between equal priorities the older service is served first. */
  readonly createdAtMs: number;
};

export type Incumbent = {
  readonly replica: ReplicaId;
  readonly node: NodeId;
  /** Of several on one replica the lowest stays: healthy first, then older. */
  readonly rank: number;
};

/** A node said that it cannot run this revision of this replica; given only while still valid. */
export type Refusal = {
  readonly replica: ReplicaId;
  readonly revision: RevisionId;
  readonly node: NodeId;
  readonly reason: string;
};

export type PlacementInput = {
  readonly nodes: readonly NodeCandidate[];
  readonly wanted: readonly Wanted[];
  readonly incumbents: readonly Incumbent[];
  readonly refusals: readonly Refusal[];
  /** Named volume → the node that has it. */
  readonly pinned?: ReadonlyMap<string, NodeId>;
  /** Services whose replicas wait for their node while it is down. */
  readonly stay?: ReadonlySet<ServiceId>;
};

export type Placement = {
  readonly assignments: ReadonlyMap<ReplicaId, NodeId>;
  readonly unplaced: ReadonlyMap<ServiceId, Unplaced>;
};

export type Unplaced = {
  /** Replicas without a node. 0 for a global service that no node is eligible for. */
  readonly replicas: number;
  /** Filter → nodes it ruled out, seen by the first replica that found none. */
  readonly rejections: Readonly<Record<string, number>>;
};
