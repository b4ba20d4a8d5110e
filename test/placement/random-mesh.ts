/**
 * A small mesh and what may befall it: nodes join, leave, fail and change, services are written,
 * scaled and removed, tasks come up where they were placed and elsewhere. Small, so that nodes
 * fill up, claims collide and zones run out.
 */

import fc from "fast-check";
import {
  type NodeId,
  type ReplicaId,
  type RevisionId,
  replicaId,
  type ServiceId,
} from "../../model/ids.ts";
import type {
  Incumbent,
  NodeCandidate,
  Placement,
  PlacementInput,
  Refusal,
  Wanted,
} from "../../placement/input.ts";
import { candidate, container, hostPort, serviceSpec } from "./samples.ts";

/** One thing that befalls the mesh. */
export type Step = Readonly<
  | { kind: "put-node"; node: NodeCandidate }
  | { kind: "leave"; node: NodeId; keepsClaims: boolean }
  | { kind: "put-service"; wanted: Wanted }
  | { kind: "scale"; service: ServiceId; replicas: number }
  | { kind: "remove"; service: ServiceId }
  /** Every so many of what was placed runs now; 1 for all. */
  | { kind: "start"; every: number; rank: number }
  | { kind: "stop"; every: number }
  | { kind: "stray"; incumbent: Incumbent }
  | { kind: "refuse"; refusal: Refusal }
  /** One replica is refused where it was placed, or runs on another node as well. */
  | { kind: "refuse-placed"; dice: number; revision: RevisionId }
  | { kind: "double"; dice: number; incumbent: Omit<Incumbent, "replica"> }
  | { kind: "forgive" }
  | { kind: "pin"; volume: string; node: NodeId | undefined }
  | { kind: "stay"; service: ServiceId; stays: boolean }
  | { kind: "shuffle" }
  /** Ranks become positions in the list: all change, as when one task of many comes first. */
  | { kind: "renumber" }
>;

const nodeIds = Array.from({ length: 8 }, (_, index) => `node${index}` as NodeId);
const serviceIds = Array.from({ length: 7 }, (_, index) => `test/s${index}` as ServiceId);
const anyNode = fc.constantFrom(...nodeIds);
const anyService = fc.constantFrom(...serviceIds);
const anyRevision = fc.constantFrom("0", "1").map((digit) => digit.repeat(32) as RevisionId);
const anyReplica = fc
  .tuple(anyService, fc.oneof(fc.integer({ min: 0, max: 6 }), anyNode, fc.constantFrom("01", "x")))
  .map(([service, slot]) => replicaId(service, slot));

const label = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: undefined });

const often = <Value>(usual: Value, ...rare: Value[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, fc.constantFrom(usual, ...rare));

const putNode = fc
  .record({
    node: anyNode,
    alive: often(true, false),
    availability: often<NodeCandidate["availability"]>("active", "pause", "drain"),
    zone: label("a", "b", "c"),
    disk: label("ssd", "HDD"),
    arch: often("x64", "aarch64"),
    engines: often<NodeCandidate["engines"]>(["docker", "process"], ["docker"], []),
    cpuMilli: fc.constantFrom(1000, 2000, 5000),
    memoryBytes: fc.constantFrom(100, 300),
    weight: often(1, 2, 7, 64),
  })
  .map(({ node, zone, disk, ...said }): Step => {
    const labels = { ...(zone ? { zone } : {}), ...(disk ? { disk } : {}) };
    return { kind: "put-node", node: candidate(node, { ...said, labels }) };
  });

const anyConstraint = fc.constantFrom(
  { key: "node.labels.disk", operator: "==", value: "ssd" } as const,
  { key: "node.labels.zone", operator: "!=", value: "a" } as const,
  { key: "node.platform.arch", operator: "==", value: "amd64" } as const,
  { key: "node.shoe", operator: "==", value: "9" } as const,
);

const anyWorkload = often<Wanted["spec"]["workload"]>(
  container,
  { ...container, platform: "linux/arm64" },
  {
    ...container,
    mounts: [{ kind: "volume", source: "data", target: "/data", readOnly: false } as const],
  },
  { kind: "process", command: ["hello"], env: {} } as const,
);

const putService = fc
  .record({
    service: anyService,
    revision: anyRevision,
    replicas: fc.nat(6),
    createdAtMs: fc.nat(3),
    mode: often("replicated" as const, "global" as const),
    priority: often(0, 5),
    constraints: fc.oneof(fc.constant([]), fc.array(anyConstraint, { maxLength: 2 })),
    spread: often<readonly string[]>(
      [],
      ["node.labels.disk"],
      ["node.labels.zone", "node.labels.disk"],
      ["node.id"],
    ),
    maxPerNode: often(0, 1, 2),
    cpu: fc.constantFrom(0, 400, 1500),
    memory: often(0, 40, 90),
    ports: often<readonly number[]>([], [80], [80, 443]),
    workload: anyWorkload,
  })
  .map((said): Step => {
    const { service, priority, constraints, spread, maxPerNode, mode, workload } = said;
    const spec = serviceSpec(service, {
      mode,
      workload,
      ports: said.ports.map(hostPort),
      resources: {
        ...(said.cpu > 0 ? { cpuReservationMilli: said.cpu } : {}),
        ...(said.memory > 0 ? { memoryReservationBytes: said.memory } : {}),
      },
      placement: { priority, constraints, spread, maxPerNode },
    });
    const { revision, replicas, createdAtMs } = said;
    return { kind: "put-service", wanted: { spec, revision, replicas, createdAtMs } };
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: putNode },
  { weight: 5, arbitrary: putService },
  {
    weight: 4,
    arbitrary: fc
      .record({ every: fc.integer({ min: 1, max: 3 }), rank: fc.nat(3) })
      .map((said): Step => ({ kind: "start", ...said })),
  },
  fc.record({ kind: fc.constant("leave" as const), node: anyNode, keepsClaims: fc.boolean() }),
  fc.record({ kind: fc.constant("scale" as const), service: anyService, replicas: fc.nat(9) }),
  fc.record({ kind: fc.constant("remove" as const), service: anyService }),
  fc.record({ kind: fc.constant("stop" as const), every: fc.integer({ min: 1, max: 5 }) }),
  {
    weight: 2,
    arbitrary: fc
      .record({ replica: anyReplica, node: anyNode, rank: fc.nat(3) })
      .map((incumbent): Step => ({ kind: "stray", incumbent })),
  },
  fc
    .record({ replica: anyReplica, revision: anyRevision, node: anyNode, reason: fc.constant("") })
    .map((refusal): Step => ({ kind: "refuse", refusal })),
  {
    weight: 2,
    arbitrary: fc
      .record({ dice: fc.nat(), revision: anyRevision })
      .map((said): Step => ({ kind: "refuse-placed", ...said })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ dice: fc.nat(), incumbent: fc.record({ node: anyNode, rank: fc.nat(3) }) })
      .map((said): Step => ({ kind: "double", ...said })),
  },
  fc.constant<Step>({ kind: "forgive" }),
  fc.record({
    kind: fc.constant("pin" as const),
    volume: fc.constantFrom("data", "cache"),
    node: fc.option(anyNode, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("stay" as const), service: anyService, stays: fc.boolean() }),
  fc.constant<Step>({ kind: "shuffle" }),
  fc.constant<Step>({ kind: "renumber" }),
);

/** Each inner list happens between two questions. Nodes and services come first. */
export const anyHistory = fc
  .tuple(
    fc.array(putNode, { minLength: 2, maxLength: 8, size: "max" }),
    fc.array(putService, { minLength: 2, maxLength: 8, size: "max" }),
    fc.array(fc.array(step, { maxLength: 4 }), { minLength: 1, maxLength: 16, size: "max" }),
  )
  .map(([nodes, services, rest]): readonly (readonly Step[])[] => [nodes, services, ...rest]);

export class RandomMesh {
  #nodes: NodeCandidate[] = [];
  #wanted: Wanted[] = [];
  #incumbents: Incumbent[] = [];
  #refusals: Refusal[] = [];
  readonly #pinned = new Map<string, NodeId>();
  readonly #stay = new Set<ServiceId>();

  /** Everything is said in new objects, but for specs: as the agent does. */
  input(): PlacementInput {
    return {
      nodes: this.#nodes.map((node) => ({ ...node, labels: { ...node.labels } })),
      wanted: this.#wanted.map((one) => ({ ...one })),
      incumbents: this.#incumbents.map((one) => ({ ...one })),
      refusals: this.#refusals.map((one) => ({ ...one })),
      pinned: new Map(this.#pinned),
      stay: new Set(this.#stay),
    };
  }

  take(step: Step, placed: Placement): void {
    switch (step.kind) {
      case "put-node":
        this.#nodes = put(this.#nodes, step.node, ({ node }) => node === step.node.node);
        return;
      case "leave":
        this.#nodes = this.#nodes.filter(({ node }) => node !== step.node);
        if (step.keepsClaims) return;
        this.#incumbents = this.#incumbents.filter(({ node }) => node !== step.node);
        return;
      case "put-service": {
        const id = step.wanted.spec.service;
        this.#wanted = put(this.#wanted, step.wanted, ({ spec }) => spec.service === id);
        return;
      }
      case "scale":
        this.#wanted = this.#wanted.map((one) => {
          return one.spec.service === step.service ? { ...one, replicas: step.replicas } : one;
        });
        return;
      case "remove":
        this.#wanted = this.#wanted.filter(({ spec }) => spec.service !== step.service);
        return;
      case "pin":
        if (step.node === undefined) this.#pinned.delete(step.volume);
        else this.#pinned.set(step.volume, step.node);
        return;
      case "stay":
        if (step.stays) this.#stay.add(step.service);
        else this.#stay.delete(step.service);
        return;
      default:
        this.#takeClaims(step, placed);
    }
  }

  #takeClaims(step: Step, placed: Placement): void {
    switch (step.kind) {
      case "start": {
        const running = new Set(this.#incumbents.map(({ replica, node }) => `${replica} ${node}`));
        const started = [...placed.assignments]
          .filter(
            ([replica, node], at) => at % step.every === 0 && !running.has(`${replica} ${node}`),
          )
          .map(([replica, node]) => ({ replica, node, rank: step.rank }));
        this.#incumbents.push(...started);
        return;
      }
      case "stop":
        this.#incumbents = this.#incumbents.filter((_, at) => at % step.every !== 0);
        return;
      case "stray":
        this.#incumbents.push(step.incumbent);
        return;
      case "refuse":
        this.#refusals.push(step.refusal);
        return;
      case "refuse-placed": {
        const [replica, node] = pick(placed, step.dice) ?? [];
        if (replica === undefined || node === undefined) return;
        this.#refusals.push({ replica, node, revision: step.revision, reason: "" });
        return;
      }
      case "double": {
        const [replica] = pick(placed, step.dice) ?? [];
        if (replica !== undefined) this.#incumbents.push({ replica, ...step.incumbent });
        return;
      }
      case "forgive":
        this.#refusals = [];
        return;
      case "renumber":
        this.#incumbents = this.#incumbents.map((one, rank) => ({ ...one, rank }));
        return;
      case "shuffle":
        this.#incumbents.reverse();
        this.#nodes.reverse();
        this.#wanted.reverse();
    }
  }
}

function put<Item>(list: readonly Item[], item: Item, isIt: (one: Item) => boolean): Item[] {
  const at = list.findIndex(isIt);
  return at < 0 ? [...list, item] : list.with(at, item);
}

/** Comparable, and without the order in which things were found. */
export function plain({ assignments, unplaced }: Placement): unknown {
  const byReplica = [...assignments].sort(([left], [right]) => (left < right ? -1 : 1));
  return { assignments: byReplica, unplaced: Object.fromEntries(unplaced) };
}

function pick({ assignments }: Placement, dice: number): [ReplicaId, NodeId] | undefined {
  const sorted = [...assignments].sort(([left], [right]) => (left < right ? -1 : 1));
  return sorted[dice % sorted.length];
}
