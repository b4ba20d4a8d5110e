/** A plan as people read it: a line per document, what differs below, where replicas would run. */

import type { Plan, PlanStep } from "../model/plan.ts";

const signs: Readonly<Record<PlanStep["action"], string>> = {
  create: "+",
  update: "~",
  remove: "-",
  unchanged: " ",
};

/** Longer values are cut: a plan is read, not parsed. */
const valueLengthMax = 60;

export function printPlan({ steps }: Plan): string {
  if (steps.length === 0) return "nothing to do";
  return steps.map(printStep).join("\n");
}

function printStep(step: PlanStep): string {
  const lines = [`${signs[step.action]} ${step.action} ${step.key}`];
  if (step.action === "update") {
    for (const { path, from, to } of step.differences) {
      lines.push(`    ${path}: ${shown(from)} → ${shown(to)}`);
    }
  }
  const replicas = new Map<string, number>();
  for (const { nodeName } of step.placement) {
    replicas.set(nodeName, (replicas.get(nodeName) ?? 0) + 1);
  }
  const places = [...replicas].map(([name, count]) => (count === 1 ? name : `${name} × ${count}`));
  if (places.length > 0) lines.push(`    on ${places.join(", ")}`);
  const refused = Object.entries(step.rejections).filter(([, nodes]) => nodes > 0);
  const counts = refused.map(([filter, nodes]) => `${filter} ruled out ${nodes}`);
  if (counts.length > 0) lines.push(`    no node for some replicas: ${counts.join(", ")}`);
  return lines.join("\n");
}

function shown(json: string): string {
  if (json === "") return "nothing";
  return json.length > valueLengthMax ? `${json.slice(0, valueLengthMax - 1)}…` : json;
}
