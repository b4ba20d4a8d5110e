/**
 * Ports: every way a node touches the world. Doors implement them for real, sim/ with a seed and
 * a virtual clock. Calls return at once and answers come back through a listener: with nothing to
 * await, one queue decides the order of everything in a simulated mesh.
 *
 * The session ports at the end (logs, exec, stats) serve people, not the agent: they stream, so
 * they are promises, and no state machine ever calls them.
 */

import type { EngineKind, TaskEndpoint } from "./model/documents.ts";
import type { MeshId, NodeId, ReplicaId, RevisionId, ServiceId, TaskId } from "./model/ids.ts";
import type { Problem } from "./model/problem.ts";
import type { RoutingTable } from "./model/routing.ts";
import type { ServiceSpec } from "./model/spec.ts";

export interface Clock {
  /** Milliseconds since an arbitrary start. Never goes back. For measuring. */
  monotonicMs(): number;
  /** Unix milliseconds. May jump either way. For stamping writes, nothing else. */
  wallMs(): number;
  /** Calls back once, no sooner than `delayMs`. Returns the cancel. */
  after(delayMs: number, callback: () => void): () => void;
}

export interface Random {
  /** A uniform integer in [0, bound), bound up to 2^32. */
  below(bound: number): number;
}

/** A member to keep a connection to. */
export type Peer = { readonly node: NodeId; readonly addresses: readonly string[] };

export interface Transport {
  /** Best effort: frames may be lost, repeated or reordered, and no error is ever reported. */
  send(to: NodeId, frame: Uint8Array): void;
  /** To every linked member, by whichever way is cheaper at this size. Best effort as well. */
  broadcast(frame: Uint8Array): void;
  onFrame(listener: (from: NodeId, frame: Uint8Array) => void): void;
  /** A link is up after both sides' hello, down when the last connection has gone. */
  onLink(listener: (node: NodeId, state: "up" | "down") => void): void;
  /** Keys that may connect as nodes. Level: the whole set each time; others are cut off. */
  admit(nodes: ReadonlySet<NodeId>): void;
  /** Members to keep links to, dialled with jitter for ever. Level: the whole list each time. */
  maintain(peers: readonly Peer[]): void;
  /** After a verdict: abort the connections to a node, so that forwarded streams end at once. */
  abort(node: NodeId): void;
}

/** A member to probe, over UDP where that gets through. */
export type ProbeTarget = {
  readonly node: NodeId;
  readonly addresses: readonly string[];
  /** 0 when it has no UDP: over the link alone. */
  readonly port: number;
};

/** Probing runs beside the agent (in a worker thread), so that a stalled agent still answers. */
export interface Probes {
  /** Level: the whole list each time. */
  observe(targets: readonly ProbeTarget[]): void;
  /** Probe this one now and quickly: its connection was reset. */
  hasten(node: NodeId): void;
  /** The main loop's heartbeat: called at least every 100 ms by the host. */
  beat(): void;
  onVerdict(listener: (verdict: ProbeVerdict) => void): void;
}

export type ProbeVerdict = {
  readonly node: NodeId;
  /** `hung`: the probe is answered, but the agent's main loop has not turned for long. */
  readonly state: "reachable" | "unreachable" | "hung";
  /** Round trip of the last answered probe, ms. */
  readonly rttMs: number;
};

/** Tables of the node's own disk. A value is bytes; undefined deletes. */
export type Write = {
  readonly table: "fact" | "document" | "revision" | "meta";
  readonly key: string;
  readonly value: Uint8Array | undefined;
};

export interface Storage {
  /** All or nothing, durable before it returns. A full or broken disk is a value, not a throw. */
  commit(writes: readonly Write[]): { kind: "stored" } | { kind: "refused"; problem: Problem };
  load(table: Write["table"]): ReadonlyMap<string, Uint8Array>;
  close(): void;
}

/** What the engine needs to start a task. Everything else is derived from it. */
export type StartOrder = {
  readonly mesh: MeshId;
  readonly node: NodeId;
  readonly nodeName: string;
  readonly task: TaskId;
  readonly replica: ReplicaId;
  readonly slot: string;
  readonly revision: RevisionId;
  readonly spec: ServiceSpec;
  /** Address of this node's DNS door as containers reach it; "" when it has none. */
  readonly dnsAddress: string;
  /** IPv4 CIDR of the bridge network for containers; "" for the engine's own default. */
  readonly subnet: string;
};

export type StopOrder = {
  readonly task: TaskId;
  readonly graceMs: number;
  readonly signal: string;
};

/** Starts, stops and watches tasks. Every call returns at once; facts come back as reports. */
export interface Engine {
  readonly kind: EngineKind;
  /** Idempotent by task id. */
  start(order: StartOrder): void;
  /** Signal, then kill after the grace. Idempotent; the task stays observed as exited. */
  stop(order: StopOrder): void;
  /** Forget an exited task: container, directory and log go. Idempotent. */
  remove(task: TaskId): void;
  onReport(listener: (report: EngineReport) => void): void;
  /** Finds tasks of this mesh and node that run already, then reports. Stops nothing. */
  open(identity: { readonly mesh: MeshId; readonly node: NodeId }): void;
  /** Lets go of everything and leaves tasks running. */
  close(): void;
}

/** Level: each `observed` is the whole truth of that engine, sent whenever it changes. */
export type EngineReport = Readonly<
  | { kind: "observed"; engine: EngineKind; tasks: readonly ObservedTask[] }
  | { kind: "unavailable"; engine: EngineKind; problem: Problem }
>;

export type ObservedTask = {
  readonly task: TaskId;
  readonly replica: ReplicaId;
  readonly service: ServiceId;
  readonly revision: RevisionId;
  /** `preparing`: pulling or creating. `starting`: runs, not yet healthy or ready. */
  readonly state: "preparing" | "starting" | "running" | "stopping" | "exited" | "refused";
  readonly health: "none" | "starting" | "healthy" | "unhealthy";
  readonly ready: boolean;
  /** Unix ms. */
  readonly createdAtMs: number;
  readonly endpoint?: TaskEndpoint;
  readonly exitCode?: number;
  /** Why it exited or was refused (image not found, port taken, out of memory). */
  readonly problem?: Problem;
};

/** Takes the whole routing table each time and makes connections follow it. */
export interface Routes {
  install(table: RoutingTable): void;
  /** Published ports that cannot be listened on, and such. Level: the whole list each time. */
  onProblems(listener: (problems: readonly Problem[]) => void): void;
}

export type LogChunk = {
  readonly task: TaskId;
  readonly stream: "stdout" | "stderr";
  /** Unix ms. */
  readonly atMs: number;
  /** One line, without its newline. */
  readonly line: string;
};

export type LogOptions = {
  readonly follow: boolean;
  /** Last lines only; undefined for all. */
  readonly tail?: number;
  /** Unix ms. */
  readonly sinceMs?: number;
  readonly signal: AbortSignal;
};

export type ExecOptions = {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDir?: string;
};

export interface ExecSession {
  readonly output: AsyncIterable<{ stream: "stdout" | "stderr"; data: Uint8Array }>;
  write(data: Uint8Array): Promise<void>;
  endInput(): void;
  resize(columns: number, rows: number): void;
  /** The exit code. */
  readonly done: Promise<number>;
  kill(): void;
}

export type TaskStats = {
  /** Share of one CPU, 0.5 is half a core. */
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly pids: number;
};

/** What people ask of a task that runs here. Throws OperationError for expected failures. */
export interface Sessions {
  logs(task: TaskId, options: LogOptions): AsyncIterable<LogChunk>;
  exec(task: TaskId, options: ExecOptions): Promise<ExecSession>;
  stats(task: TaskId): Promise<TaskStats>;
}

export type Ports = {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly probes: Probes;
  readonly storage: Storage;
  readonly engines: readonly Engine[];
  readonly routes: readonly Routes[];
};
