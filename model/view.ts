/**
 * What an agent shows of the mesh: the read model behind `shoal … ls`, the API and the console.
 * Derived by node/view.ts from replicated state as this agent has it; plain JSON throughout.
 */

import type { NodeFacts, TaskFacts } from "./documents.ts";
import type { MeshId, NodeId, RevisionId, ServiceId } from "./ids.ts";
import type { Problem } from "./problem.ts";
import type { ServiceSpec } from "./spec.ts";

export type MeshView = {
  readonly mesh: MeshId;
  readonly self: NodeId;
  /** Hex of the state's digest: equal on two nodes that hold equal state. */
  readonly digest: string;
  /** Ms since some peer last had the digest that this node has; 0 in a mesh of one. */
  readonly convergedAgoMs: number;
  readonly nodes: readonly NodeView[];
  readonly services: readonly ServiceView[];
  readonly tasks: readonly TaskView[];
  readonly problems: readonly Problem[];
};

export type NodeView = {
  readonly node: NodeId;
  /** Absent until its document has arrived. */
  readonly facts?: NodeFacts;
  readonly role: "peer" | "runner";
  readonly status: "alive" | "suspect" | "down";
  readonly availability: "active" | "pause" | "drain";
  /** The node's own labels with the operator's over them. */
  readonly labels: Readonly<Record<string, string>>;
  /** Its document's head, for `node inspect`. */
  readonly epoch: number;
  readonly seq: number;
  /** Of the link from the answering node; absent without a link or for itself. */
  readonly rttMs?: number;
};

export type ServiceView = {
  readonly service: ServiceId;
  readonly spec: ServiceSpec;
  readonly revision: RevisionId;
  /** Wanted replicas; for a global service, how many nodes are eligible. */
  readonly replicas: number;
  /** Ready tasks of the current revision, and of any. */
  readonly updated: number;
  readonly ready: number;
  readonly update: UpdateStatus;
  readonly history: readonly RevisionView[];
  readonly problems: readonly Problem[];
};

export type UpdateStatus = {
  readonly state: "completed" | "updating" | "paused" | "rolling-back" | "rolled-back";
  readonly message: string;
};

export type RevisionView = {
  readonly revision: RevisionId;
  readonly generation: number;
  readonly writtenAtMs: number;
  readonly writer: string;
  readonly status: "current" | "past" | "conflict" | "removed";
  readonly spec?: ServiceSpec;
};

export type TaskView = TaskFacts & {
  readonly node: NodeId;
  readonly nodeName: string;
  readonly slot: string;
  /** `orphaned`: its node is down, so its state is only what was last heard. */
  readonly standing: "current" | "superseded" | "orphaned";
};

/** What `shoal events` streams: a difference between two views. */
export type MeshEvent = {
  readonly atMs: number;
  readonly kind: "node" | "service" | "task" | "problem";
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
};
