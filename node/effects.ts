/**
 * What goes into an agent and what comes out of it. node/host.ts turns ports into events and
 * performs effects; sim/ does both on virtual time.
 */

import type { NodeFacts } from "../model/documents.ts";
import type { NodeId, TaskId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { RoutingTable } from "../model/routing.ts";
import type {
  EngineReport,
  Peer,
  ProbeTarget,
  ProbeVerdict,
  StartOrder,
  StopOrder,
  Write,
} from "../ports.ts";

/** At most one of each runs at a time; setting it again replaces it. */
export type Timer = "flush" | "sync" | "reconcile" | "idle" | "membership";

/** What a node learns about itself while it runs. */
export type OwnFacts = Partial<
  Pick<NodeFacts, "addresses" | "probePort" | "subnet" | "labels" | "dataPath" | "engines">
>;

export type Event = Readonly<
  | { kind: "opened" }
  | { kind: "frame-arrived"; from: NodeId; frame: Uint8Array }
  | { kind: "link-changed"; node: NodeId; state: "up" | "down" }
  | { kind: "probed"; verdict: ProbeVerdict }
  | { kind: "engine-reported"; report: EngineReport }
  | { kind: "routes-reported"; problems: readonly Problem[] }
  | { kind: "facts-learnt"; facts: OwnFacts; dnsAddress?: string }
  | { kind: "write-asked"; request: number; write: OperatorWrite }
  | { kind: "stored"; request: number | undefined; problem: Problem | undefined }
  | { kind: "timer-fired"; timer: Timer; lateMs: number }
>;

/** Sealed bytes as the operator signed them. */
export type OperatorWrite = {
  readonly revisions: readonly Uint8Array[];
  readonly facts: readonly Uint8Array[];
};

export type Effect = Readonly<
  | { kind: "send"; to: NodeId; frame: Uint8Array }
  | { kind: "broadcast"; frame: Uint8Array }
  | { kind: "store"; writes: readonly Write[]; request: number | undefined }
  | { kind: "answer"; request: number; problems: readonly Problem[] }
  | { kind: "start"; engine: "docker" | "process"; order: StartOrder }
  | { kind: "stop"; engine: "docker" | "process"; order: StopOrder }
  | { kind: "remove"; engine: "docker" | "process"; task: TaskId }
  | { kind: "install-routes"; table: RoutingTable }
  | { kind: "admit"; nodes: ReadonlySet<NodeId> }
  | { kind: "maintain"; peers: readonly Peer[] }
  | { kind: "observe"; targets: readonly ProbeTarget[] }
  | { kind: "hasten"; node: NodeId }
  | { kind: "abort"; node: NodeId }
  | { kind: "set-timer"; timer: Timer; delayMs: number }
>;
