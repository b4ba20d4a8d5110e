/**
 * What the API asks of the agent behind it. node/daemon.ts implements it with the agent's host;
 * tests with plain values. Expected failures are OperationErrors.
 */

import type { Duplex } from "node:stream";
import type { SpecDocument } from "../model/documents.ts";
import type { MeshId, NodeId, TaskId } from "../model/ids.ts";
import type { Plan } from "../model/plan.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshView } from "../model/view.ts";
import type { Sessions } from "../ports.ts";
import type { Draft } from "../trust/authoring.ts";
import type { TrustView } from "../trust/log.ts";

export interface Backend {
  readonly mesh: MeshId;
  readonly self: NodeId;
  /** Of the package. */
  readonly version: string;
  view(): MeshView;
  /** One for each key, in their order. */
  drafts(keys: readonly string[]): readonly Draft[];
  /** Resolves when the write is on this node's disk or refused. */
  write(writes: Writes): Promise<Written>;
  plan(documents: readonly SpecDocument[], removals: readonly string[]): Plan;
  /** Sealed, in no order. */
  trustFacts(): readonly Uint8Array[];
  trustView(): TrustView;
  /** All that a backup holds of replicated state, sealed, as it is now. */
  backup(): Writes;
  /** Of tasks that run here. */
  readonly sessions: Sessions;
  /** Where a task runs, as far as this node has heard. */
  nodeOf(task: TaskId): NodeId | undefined;
  /** A stream of the API's protocol to another node. */
  openPeer(node: NodeId, signal: AbortSignal): Promise<Duplex>;
  /** Called when the view may have changed; often is fine. Returns the way to stop it. */
  onView(listener: () => void): () => void;
  /** Resolves when this node has said that it goes; the agent ends soon after. */
  leave(): Promise<void>;
  /** Whatever the agent counts: names and how often. */
  counters(): Readonly<Record<string, number>>;
  /** Unix ms. */
  wallMs(): number;
}

/** Sealed bytes as people signed them. */
export type Writes = {
  readonly revisions: readonly Uint8Array[];
  readonly facts: readonly Uint8Array[];
};

export type Written = {
  /** Empty when it was taken. */
  readonly problems: readonly Problem[];
  /** Ids of the revisions, in their order. */
  readonly revisions: readonly string[];
  /** How many other nodes had it by then. */
  readonly peers: number;
};
