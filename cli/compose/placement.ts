/**
 * Where a service may run: constraints, spread, replicas per node.
 *
 * Files made for Swarm name roles that a mesh has not. Every peer takes operators' writes, so
 * "manager" reads as "peer", and asking for a worker rules nothing out.
 */

import type { Constraint, PlacementSpec } from "../../model/spec.ts";
import type { Field } from "./field.ts";

export function readPlacement(service: Field): PlacementSpec {
  const field = service.get("deploy").get("placement");
  return {
    algorithm: 1,
    priority: service.get("x-shoal").get("priority").whole(-1_000_000, 1_000_000) ?? 0,
    constraints: field.get("constraints").items().flatMap(readConstraint),
    spread: field.get("preferences").items().flatMap(readPreference),
    maxPerNode: field.get("max_replicas_per_node").whole() ?? 0,
  };
}

const plainKeys: readonly string[] = [
  "node.id",
  "node.hostname",
  "node.role",
  "node.platform.os",
  "node.platform.arch",
];

function readConstraint(item: Field): Constraint[] {
  const constraint = parseConstraint(item.word() ?? "");
  if (typeof constraint === "string") {
    item.invalid(constraint);
    return [];
  }
  if (constraint.key !== "node.role") return [constraint];
  return readRole(item, constraint);
}

/** A sentence when the text is no constraint. Also used by `service update --constraint-add`. */
export function parseConstraint(text: string): Constraint | string {
  const match = /^\s*([^\s=!]+)\s*(==|!=)\s*(.*?)\s*$/.exec(text);
  const [, written = "", operator, value = ""] = match ?? [];
  if (match === null || value === "") {
    return `expected a constraint such as "node.labels.zone == a", found "${text}"`;
  }
  const lower = written.toLowerCase();
  const key = lower.startsWith("node.labels.")
    ? `node.labels.${written.slice("node.labels.".length)}`
    : lower;
  if (!plainKeys.includes(key) && !key.startsWith("node.labels.")) {
    return `"${written}" is no property of nodes: ${plainKeys.join(", ")} or node.labels.NAME`;
  }
  return { key, operator: operator === "!=" ? "!=" : "==", value };
}

function readRole(item: Field, { key, operator, value }: Constraint): Constraint[] {
  const role = value.toLowerCase();
  if (role === "peer" || role === "runner") return [{ key, operator, value: role }];
  if (role !== "manager" && role !== "worker") {
    item.invalid(`"${value}" is no role: peer or runner`);
    return [];
  }
  const asksForManager = (role === "manager") === (operator === "==");
  if (asksForManager) return [{ key, operator: "==", value: "peer" }];
  item.ignored("a mesh has no managers to keep free of work");
  return [];
}

function readPreference(item: Field): string[] {
  const spread = item.get("spread").word();
  if (spread === undefined) {
    item.invalid('expected "spread: node.labels.NAME"');
    return [];
  }
  const lower = spread.toLowerCase();
  if (lower.startsWith("node.labels.")) return [`node.labels.${spread.slice(12)}`];
  if (plainKeys.includes(lower)) return [lower];
  item.invalid(`"${spread}" is no property of nodes`);
  return [];
}
