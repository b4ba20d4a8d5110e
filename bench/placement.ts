/**
 * Placement of 10,000 services of three replicas on 1,000 nodes: in full, then after one join and
 * one leave with everything running where it was placed. Lists and their items are made afresh for
 * every question, as node/desired.ts makes them; only specs and strings are the same objects.
 * Making them is not timed.
 */

import type { NodeId, RevisionId, ServiceId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { Incumbent, NodeCandidate, PlacementInput, Wanted } from "../placement/input.ts";
import { Placer } from "../placement/placer.ts";
import { type Figures, percentile, type RunBench, rounded } from "./figures.ts";

const nodeCount = 1000;
const serviceCount = 10_000;
const replicas = 3;
const fullRuns = 9;
const changeRuns = 41;
const zones = ["a", "b", "c", "d"];

export const run: RunBench = ({ say }): Figures => {
  const nodes = Array.from({ length: nodeCount }, (_, index) => makeNode(index));
  const wanted = Array.from({ length: serviceCount }, (_, index) => makeWanted(index));
  const empty = { nodes, wanted, incumbents: [], refusals: [] };
  const full = times(fullRuns, () => ({ placer: new Placer(), input: afresh(empty) }));
  say(`in full: ${full.map((ms) => ms.toFixed(0)).join(" ")} ms`);

  const incumbents = settle(empty);
  const running: PlacementInput = { ...empty, incumbents };
  const restart = times(fullRuns, () => ({ placer: new Placer(), input: afresh(running) }));
  say(`in full, all running: ${restart.map((ms) => ms.toFixed(0)).join(" ")} ms`);

  const { joinMs, leaveMs } = timeChanges(running);
  say(`one join: ${spread(joinMs)}; one leave: ${spread(leaveMs)}`);
  return {
    fullMs: rounded(percentile(full, 0.5), 1),
    restartMs: rounded(percentile(restart, 0.5), 1),
    joinMs: rounded(percentile(joinMs, 0.5), 3),
    leaveMs: rounded(percentile(leaveMs, 0.5), 3),
  };
};

function times(
  count: number,
  prepare: () => { readonly placer: Placer; readonly input: PlacementInput },
): number[] {
  return Array.from({ length: count }, () => {
    const { placer, input } = prepare();
    return time(placer, input);
  });
}

function time(placer: Placer, input: PlacementInput): number {
  const startMs = performance.now();
  placer.place(input);
  return performance.now() - startMs;
}

/** A node joins a mesh at rest; then one that runs its share goes down, and what it ran is lost. */
function timeChanges(running: PlacementInput): { joinMs: number[]; leaveMs: number[] } {
  const placer = new Placer();
  const joinMs: number[] = [];
  const leaveMs: number[] = [];
  for (let round = 0; round < changeRuns; round++) {
    placer.place(afresh(running));
    const joined = { ...running, nodes: [...running.nodes, makeNode(nodeCount + round)] };
    joinMs.push(time(placer, afresh(joined)));
    placer.place(afresh(running));
    const lost = running.nodes[(round * 37) % nodeCount] as NodeCandidate;
    const left = {
      ...running,
      nodes: running.nodes.map((node) => (node === lost ? { ...node, alive: false } : node)),
      incumbents: running.incumbents.filter(({ node }) => node !== lost.node),
    };
    leaveMs.push(time(placer, afresh(left)));
  }
  return { joinMs, leaveMs };
}

/** Everything runs where it is placed, in the order in which node/desired.ts reads it: by node. */
function settle(input: PlacementInput): Incumbent[] {
  const { assignments, unplaced } = new Placer().place(input);
  if (unplaced.size > 0) throw new Error(`${unplaced.size} services found no room`);
  const held = [...assignments].map(([replica, node], index) => ({ replica, node, rank: index }));
  return held.sort((left, right) => (left.node < right.node ? -1 : left.node > right.node ? 1 : 0));
}

function afresh({ nodes, wanted, incumbents, refusals }: PlacementInput): PlacementInput {
  return {
    nodes: nodes.map((node) => ({ ...node, labels: { ...node.labels } })),
    wanted: wanted.map((one) => ({ ...one })),
    incumbents: incumbents.map((one) => ({ ...one })),
    refusals: [...refusals],
    stay: new Set(),
  };
}

function spread(values: readonly number[]): string {
  const shares = [0.5, 0.9, 1].map((share) => percentile(values, share).toFixed(2));
  return `${shares.join(" / ")} ms (median / p90 / worst of ${values.length})`;
}

function makeNode(index: number): NodeCandidate {
  return {
    node: `12D3KooW${String(index * 7919).padStart(44, "x")}` as NodeId,
    name: `host-${index}`,
    role: "peer",
    alive: true,
    availability: "active",
    labels: { zone: zones[index % zones.length] as string, disk: index % 2 === 0 ? "ssd" : "hdd" },
    os: "linux",
    arch: "x64",
    engines: ["docker", "process"],
    cpuMilli: 8000,
    memoryBytes: 32 * 2 ** 30,
    weight: 1,
  };
}

/**
 * Of every ten services five reserve a share of a node, one asks for a label, one in fifty a port.
 */
function makeWanted(index: number): Wanted {
  const reserves = index % 2 === 0;
  const port = { published: 1024 + index, target: 80, protocol: "tcp", mode: "host" } as const;
  const spec: ServiceSpec = {
    ...plainSpec,
    service: `stack-${index % 500}/service-${index}` as ServiceId,
    ports: index % 50 === 0 ? [port] : [],
    resources: reserves ? { cpuReservationMilli: 100, memoryReservationBytes: 2 ** 28 } : {},
    placement: {
      ...plainSpec.placement,
      constraints:
        index % 10 === 0 ? [{ key: "node.labels.disk", operator: "==", value: "ssd" }] : [],
    },
  };
  const revision = index.toString(16).padStart(32, "0") as RevisionId;
  return { spec, revision, replicas, createdAtMs: 1_700_000_000_000 + ((index * 7919) % 1e6) };
}

const update = {
  parallelism: 1,
  delayMs: 0,
  order: "start-first",
  monitorMs: 5000,
  failureAction: "pause",
  maxFailureRatio: 0,
} as const;

const plainSpec: ServiceSpec = {
  service: "" as ServiceId,
  workload: { kind: "container", image: "hello", env: {}, containerLabels: {}, mounts: [] },
  mode: "replicated",
  ports: [],
  expose: [],
  endpointMode: "vip",
  placement: { algorithm: 1, priority: 0, constraints: [], spread: [], maxPerNode: 0 },
  resources: {},
  health: { disabled: false },
  update,
  rollback: update,
  restart: { condition: "any", delayMs: 5000, maxAttempts: 0, windowMs: 0 },
  isolation: "run",
  labels: {},
};
