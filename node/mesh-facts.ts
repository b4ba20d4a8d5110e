/**
 * Typed reading of replicated state: services, nodes and tasks as they were said, nothing
 * derived. Parsed values are kept by the identity of what they were parsed from, so that a look
 * at ten thousand unchanged rows costs ten thousand map look-ups.
 */

import { encode } from "../crdt/codec.ts";
import { hex, sha256 } from "../crdt/hash.ts";
import type { NodeDocument } from "../crdt/node-document.ts";
import type { Register, Revision } from "../crdt/register.ts";
import type { Store } from "../gossip/store.ts";
import type { NodeFacts, Row, SpecDocument, TaskFacts } from "../model/documents.ts";
import type { NodeId, ReplicaId, RevisionId, ServiceId } from "../model/ids.ts";
import { parseRow, parseSpecDocument } from "../model/parse.ts";
import type { ServiceSpec } from "../model/spec.ts";

export type ServiceFacts = {
  readonly service: ServiceId;
  readonly spec: ServiceSpec;
  readonly revision: RevisionId;
  readonly paused: boolean;
  readonly replicas: number;
  /** Unix ms of the oldest revision kept: the age that orders claims. */
  readonly createdAtMs: number;
  readonly register: Register;
  readonly current: Revision;
};

export type NoFit = {
  readonly node: NodeId;
  readonly replica: ReplicaId;
  readonly revision: RevisionId;
  readonly reason: string;
  readonly untilMs: number;
};

export type NodeRows = {
  readonly facts: NodeFacts | undefined;
  readonly tasks: readonly TaskFacts[];
  readonly noFits: readonly NoFit[];
  readonly accuses: ReadonlyMap<NodeId, number>;
};

const parsedRows = new WeakMap<object, Row | { kind: "unknown" }>();
const parsedDocuments = new WeakMap<object, SpecDocument | { kind: "unknown" }>();
const revisions = new WeakMap<object, RevisionId>();

/** What a spec says of a task: changing anything else never replaces a container. */
export function revisionOf(spec: ServiceSpec): RevisionId {
  const known = revisions.get(spec);
  if (known !== undefined) return known;
  const { workload, ports, expose, resources, health, restart, force } = spec;
  const hostPorts = ports.filter(({ mode }) => mode === "host");
  const targets = ports.map(({ target, protocol }) => `${target}/${protocol}`).sort();
  const part = { workload, hostPorts, targets, expose, resources, health, restart, force };
  const bytes = encode(JSON.parse(JSON.stringify(part)));
  const revision = hex(sha256(bytes)).slice(0, 32) as RevisionId;
  revisions.set(spec, revision);
  return revision;
}

function rowOf(value: unknown): Row | { kind: "unknown" } {
  if (typeof value !== "object" || value === null) return { kind: "unknown" };
  const known = parsedRows.get(value);
  if (known !== undefined) return known;
  const row = parseRow(value) ?? { kind: "unknown" as const };
  parsedRows.set(value, row);
  return row;
}

export function documentOf(revision: Revision): SpecDocument | undefined {
  const value = revision.value;
  if (typeof value !== "object" || value === null) return undefined;
  let parsed = parsedDocuments.get(value);
  if (parsed === undefined) {
    parsed = parseSpecDocument(value) ?? { kind: "unknown" as const };
    parsedDocuments.set(value, parsed);
  }
  return parsed.kind === "unknown" ? undefined : parsed;
}

const noRows: NodeRows = { facts: undefined, tasks: [], noFits: [], accuses: new Map() };
const readings = new WeakMap<NodeDocument, NodeRows>();

export function readNode(store: Store, node: NodeId): NodeRows {
  const document = store.believed(node);
  if (document === undefined) return noRows;
  const rows = readings.get(document) ?? readRows(store, node);
  readings.set(document, rows);
  return rows;
}

/** A row whose key does not say what it holds is not believed. */
function readRows(store: Store, node: NodeId): NodeRows {
  let facts: NodeFacts | undefined;
  const tasks: TaskFacts[] = [];
  const noFits: NoFit[] = [];
  const accuses = new Map<NodeId, number>();
  for (const [key, value] of store.rows(node, "")) {
    const row = rowOf(value);
    switch (row.kind) {
      case "node":
        if (key === "node") facts = row;
        break;
      case "task":
        if (key === `task/${row.task}`) tasks.push(row);
        break;
      case "no-fit":
        if (key === `no-fit/${row.replica}`) noFits.push({ node, ...row });
        break;
      case "accuse":
        if (key === `accuse/${row.accused}`) accuses.set(row.accused, row.incarnation);
        break;
      case "unknown":
        break;
    }
  }
  return { facts, tasks, noFits, accuses };
}

/** Every service that is wanted now, sorted by id. */
export function readServices(store: Store): ServiceFacts[] {
  const services: ServiceFacts[] = [];
  for (const key of store.keys("service/")) {
    const facts = readService(store, key.slice("service/".length) as ServiceId);
    if (facts !== undefined) services.push(facts);
  }
  return services;
}

export function readService(store: Store, service: ServiceId): ServiceFacts | undefined {
  const key = `service/${service}`;
  const current = store.current(key);
  const register = store.register(key);
  if (current === undefined || register === undefined) return undefined;
  const document = documentOf(current);
  if (document?.kind !== "service" || document.spec.service !== service) return undefined;
  const spec = document.spec;
  return {
    service,
    spec,
    revision: revisionOf(spec),
    paused: document.pause === true,
    replicas: readReplicas(store, service),
    createdAtMs: Math.min(...register.revisions.map(({ stamp }) => stamp.timeMs)),
    register,
    current,
  };
}

function readReplicas(store: Store, service: ServiceId): number {
  const current = store.current(`scale/${service}`);
  const document = current === undefined ? undefined : documentOf(current);
  return document?.kind === "scale" ? document.replicas : 1;
}

export type NodePolicy = {
  readonly availability: "active" | "pause" | "drain";
  readonly labels: Readonly<Record<string, string>>;
};

export function readPolicy(store: Store, node: NodeId): NodePolicy {
  const current = store.current(`node/${node}`);
  const document = current === undefined ? undefined : documentOf(current);
  if (document?.kind !== "node" || document.node !== node) {
    return { availability: "active", labels: {} };
  }
  return { availability: document.availability, labels: document.labels };
}
