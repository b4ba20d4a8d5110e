/**
 * Agents for the API to stand before: a trust log with people of each role, a view that tests
 * change, logs that tests write, commands that echo. `joinFakes` connects several, so that a
 * request can be passed on.
 */

import { type Duplex, duplexPair } from "node:stream";
import type { Backend, Writes } from "../../api/backend.ts";
import type { MeshId, NodeId, TaskId } from "../../model/ids.ts";
import { OperationError, type Problem } from "../../model/problem.ts";
import type { MeshView, ServiceView, TaskView } from "../../model/view.ts";
import { writeFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";
import { TrustLog } from "../../trust/log.ts";
import { FakeSessions } from "./fake-sessions.ts";

function person(seed: number): Identity {
  return identityFromSeed(new Uint8Array(32).fill(seed));
}

export const people = {
  admin: person(1),
  operator: person(2),
  viewer: person(3),
  stranger: person(4),
  revoked: person(5),
};

export const nodeKeys = [person(11), person(12), person(13)];
const [first] = nodeKeys as [Identity];

const genesis = createMesh({
  name: "home",
  founder: people.admin,
  admins: [people.admin.id],
  node: first.id,
  nodeName: "host1",
  nonce: new Uint8Array(32),
  timeMs: 1_000,
});
export const mesh: MeshId = genesis.mesh;

function grant(subject: Identity, role: "operator" | "viewer"): Uint8Array {
  const fact = { kind: "grant", subject: subject.id, role, name: role } as const;
  return writeFact(mesh, fact, 2_000, people.admin).bytes;
}

export function revoke(subject: Identity): Uint8Array {
  const fact = { kind: "revoke", subject: subject.id, cutOffMs: 3_000 } as const;
  return writeFact(mesh, fact, 3_000, people.admin).bytes;
}

export const facts: readonly Uint8Array[] = [
  ...genesis.facts,
  grant(people.operator, "operator"),
  grant(people.viewer, "viewer"),
  grant(people.revoked, "operator"),
  revoke(people.revoked),
];

export class FakeBackend implements Backend {
  readonly mesh = mesh;
  readonly self: NodeId;
  readonly version = "0.1.0";
  readonly sessions = new FakeSessions();
  readonly log = new TrustLog(mesh, verify);
  readonly written: Writes[] = [];
  /** Of its backup. */
  revisions: readonly Uint8Array[] = [];
  readonly listeners = new Set<() => void>();
  shown: MeshView;
  /** What the next write is answered with. */
  refusal: readonly Problem[] = [];
  left = 0;
  views = 0;
  nowMs = Date.now();
  /** How to reach other nodes; set by joinFakes. */
  reach: (node: NodeId) => Duplex;

  constructor(key: Identity = first) {
    this.self = key.id as NodeId;
    this.shown = emptyView(this.self);
    for (const fact of facts) this.log.add(fact);
    this.reach = (node) => {
      throw new OperationError({ code: "node-down", node });
    };
  }

  view(): MeshView {
    this.views++;
    return this.shown;
  }

  drafts(keys: readonly string[]) {
    return keys.map((key) => ({ key, generation: 1, timeMs: 5, counter: 0, parents: [] }));
  }

  async write(writes: Writes) {
    if (this.refusal.length > 0) return { problems: this.refusal, revisions: [], peers: 0 };
    this.written.push(writes);
    return { problems: [], revisions: writes.revisions.map((_, index) => `r${index}`), peers: 2 };
  }

  plan(documents: readonly unknown[], removals: readonly string[]) {
    const step = { differences: [], placement: [], rejections: {} };
    const kept = documents.map((_, index) => ({
      action: "create" as const,
      key: `d${index}`,
      ...step,
    }));
    return {
      steps: [...kept, ...removals.map((key) => ({ action: "remove" as const, key, ...step }))],
    };
  }

  trustFacts() {
    return [...this.log.entries().values()];
  }

  trustView() {
    return this.log.view();
  }

  backup() {
    return { facts: this.trustFacts(), revisions: this.revisions };
  }

  nodeOf(task: TaskId) {
    return this.shown.tasks.find((one) => one.task === task)?.node;
  }

  async openPeer(node: NodeId, signal: AbortSignal) {
    signal.throwIfAborted();
    return this.reach(node);
  }

  onView(listener: () => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async leave() {
    this.left++;
  }

  counters() {
    return { "frames-dropped": 3 };
  }

  wallMs() {
    return this.nowMs;
  }

  /** The mesh has moved on. */
  show(view: Partial<MeshView>): void {
    this.shown = { ...this.shown, ...view };
    for (const listener of [...this.listeners]) listener();
  }

  learn(fact: Uint8Array): void {
    this.log.add(fact);
    for (const listener of [...this.listeners]) listener();
  }
}

function emptyView(self: NodeId): MeshView {
  return {
    mesh,
    self,
    digest: "00",
    convergedAgoMs: 0,
    nodes: [],
    services: [],
    tasks: [],
    problems: [],
  };
}

export function service(name: string, changes: Partial<ServiceView> = {}): ServiceView {
  const history = [
    { revision: "a".repeat(32), generation: 1, writtenAtMs: 1, writer: "w", status: "current" },
  ];
  const view = {
    service: name,
    spec: { service: name, stack: name.split("/")[0] },
    revision: "a".repeat(32),
    replicas: 1,
    updated: 1,
    ready: 1,
    update: { state: "completed", message: "" },
    history,
    problems: [],
  };
  return { ...view, ...changes } as unknown as ServiceView;
}

/** "hello/web.1.abc" on a node. */
export function task(id: string, node: NodeId, changes: Partial<TaskView> = {}): TaskView {
  const [name = "", slot = ""] = id.split(".");
  const view = {
    task: id,
    replica: `${name}.${slot}`,
    service: name,
    revision: "a".repeat(32),
    engine: "process",
    state: "running",
    ready: true,
    health: "none",
    createdAtMs: 1,
    changedAtMs: 1,
    failures: 0,
    node,
    nodeName: node.slice(-4),
    slot,
    standing: "current",
  };
  return { ...view, ...changes } as unknown as TaskView;
}

export type FakeNode = {
  readonly backend: FakeBackend;
  accept(stream: Duplex, from: string): void;
};

/** Every fake reaches every other through a pair of streams. `opened` counts them by target. */
export function joinFakes(nodes: readonly FakeNode[]): Map<NodeId, number> {
  const opened = new Map<NodeId, number>();
  for (const { backend } of nodes) {
    backend.reach = (to) => {
      const target = nodes.find((node) => node.backend.self === to);
      if (target === undefined) throw new OperationError({ code: "node-down", node: to });
      opened.set(to, (opened.get(to) ?? 0) + 1);
      const [near, far] = streamPair();
      target.accept(far, backend.self);
      return near;
    };
  }
  return opened;
}

/** As a stream of a link: one side's reset is the other's at once, whatever is still unread. */
export function streamPair(): [Duplex, Duplex] {
  const [near, far] = duplexPair();
  near.once("close", () => far.destroy());
  far.once("close", () => near.destroy());
  return [near, far];
}
