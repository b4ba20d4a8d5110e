/**
 * What a write would do, without doing it: differences to what is wanted now, and where replicas
 * would run. Placement is deterministic, so the nodes named are the nodes that will run it. Pure.
 */

import type { SpecDocument } from "../model/documents.ts";
import { compareIds, type NodeId, type ServiceId, splitReplicaId } from "../model/ids.ts";
import { keyOf } from "../model/parse.ts";
import type { Difference, Plan, PlanStep } from "../model/plan.ts";
import { type Desired, type Place, placementInput, takeAim } from "./desired.ts";
import { revisionOf, type ServiceFacts } from "./mesh-facts.ts";

export function planWrite(
  documents: readonly SpecDocument[],
  removals: readonly string[],
  desired: Desired,
  nowMs: number,
  place: Place,
): Plan {
  const before = new Map(desired.services.map((service) => [service.service, service]));
  const after = applyDocuments(documents, removals, before, nowMs);
  const services = takeAim(after, desired.members, desired.tasks);
  const placement = place(placementInput(services, desired.members, nowMs));
  const names = new Map(desired.members.map(({ node, rows }) => [node, rows.facts?.name ?? node]));
  const steps = documents.map((document): PlanStep => {
    const key = keyOf(document);
    const differences = differencesOf(document, desired);
    const action = stepAction(document, before, differences.length);
    if (document.kind !== "service")
      return { action, key, differences, placement: [], rejections: {} };
    const { service } = document.spec;
    const nodes = [...placement.assignments]
      .filter(([replica]) => splitReplicaId(replica).service === service)
      .map(([replica, node]) => ({ replica, node, nodeName: names.get(node) ?? node }))
      .sort((left, right) => compareIds(left.replica, right.replica));
    const rejections = placement.unplaced.get(service)?.rejections ?? {};
    return { action, key, differences, placement: nodes, rejections };
  });
  const removed = removals.map((key): PlanStep => {
    return { action: "remove", key, differences: [], placement: [], rejections: {} };
  });
  return { steps: [...steps, ...removed] };
}

type Before = ReadonlyMap<ServiceId, ServiceFacts>;

function applyDocuments(
  documents: readonly SpecDocument[],
  removals: readonly string[],
  before: Before,
  nowMs: number,
): ServiceFacts[] {
  const after = new Map(before);
  for (const key of removals) after.delete(key.replace(/^service\//, "") as ServiceId);
  for (const document of documents) {
    if (document.kind !== "service") continue;
    const { spec } = document;
    const old = before.get(spec.service);
    after.set(spec.service, {
      ...(old ?? unwritten(spec.service, nowMs)),
      service: spec.service,
      spec,
      revision: revisionOf(spec),
    });
  }
  for (const document of documents) {
    if (document.kind !== "scale") continue;
    const service = after.get(document.service);
    if (service !== undefined) {
      after.set(document.service, { ...service, replicas: document.replicas });
    }
  }
  return [...after.values()];
}

/** A service that no one has written yet has no history. */
function unwritten(
  service: ServiceId,
  nowMs: number,
): Omit<ServiceFacts, "service" | "spec" | "revision"> {
  const key = `service/${service}`;
  const stamp = { generation: 0, timeMs: nowMs, counter: 0, writer: "" };
  const current = { id: "", bytes: new Uint8Array(), key, stamp, parents: [], value: undefined };
  const register = { key, revisions: [] };
  return { paused: false, replicas: 1, createdAtMs: nowMs, register, current };
}

function stepAction(
  document: SpecDocument,
  before: Before,
  differences: number,
): PlanStep["action"] {
  const exists =
    document.kind === "node" ||
    before.has(document.kind === "service" ? document.spec.service : document.service);
  if (!exists) return "create";
  return differences === 0 ? "unchanged" : "update";
}

function differencesOf(document: SpecDocument, desired: Desired): Difference[] {
  switch (document.kind) {
    case "service": {
      const service = desired.services.find((known) => known.service === document.spec.service);
      return service === undefined ? [] : compare("", service.spec, document.spec);
    }
    case "scale": {
      const service = desired.services.find((known) => known.service === document.service);
      return service === undefined ? [] : compare("replicas", service.replicas, document.replicas);
    }
    case "node": {
      const { labels, availability } = document;
      const policy = findPolicy(document.node, desired);
      return compare("", policy, { availability, labels });
    }
  }
}

function findPolicy(node: NodeId, desired: Desired) {
  const member = desired.members.find((known) => known.node === node);
  return member?.policy ?? { availability: "active", labels: {} };
}

/** Leaves that differ, by dotted path. Lists are compared whole. */
function compare(path: string, from: unknown, to: unknown): Difference[] {
  if (isPlainObject(from) && isPlainObject(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort(compareIds);
    return keys.flatMap((key) => compare(path === "" ? key : `${path}.${key}`, from[key], to[key]));
  }
  const left = JSON.stringify(from) ?? "";
  const right = JSON.stringify(to) ?? "";
  return left === right ? [] : [{ path, from: left, to: right }];
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
