/**
 * `extends`: a service that begins with what another one says. Source: Compose specification,
 * "extends". Only services of the same files; what depends on others is not taken over.
 */

import type { Problem } from "../../model/problem.ts";
import { mergeTrees } from "./merge.ts";
import type { Entry, MapTree, Tree } from "./tree.ts";

/** Compose never takes these over, since they name other services. */
const notInherited: readonly string[] = ["depends_on", "links", "volumes_from", "extends"];

export function resolveExtends(services: Tree, problems: Problem[]): Tree {
  if (services.kind !== "map") return services;
  const resolved = new Map<string, Entry>();
  for (const [name, entry] of services.entries) {
    const value = extended(name, entry.value, services, [name], problems);
    resolved.set(name, { at: entry.at, value });
  }
  return { ...services, entries: resolved };
}

function extended(
  name: string,
  service: Tree,
  services: MapTree,
  chain: readonly string[],
  problems: Problem[],
): Tree {
  const entry = service.kind === "map" ? service.entries.get("extends") : undefined;
  if (entry === undefined) return service;
  const base = baseName(entry.value);
  if (base === undefined) return service;
  const refuse = (detail: string): Tree => {
    problems.push({ code: "value-invalid", ...entry.at, path: `services.${name}.extends`, detail });
    return service;
  };
  if (chain.includes(base)) return refuse(`goes in a circle: ${[...chain, base].join(" → ")}`);
  const found = services.entries.get(base)?.value;
  if (found?.kind !== "map") return refuse(`there is no service "${base}" in these files`);
  const whole = extended(base, found, services, [...chain, base], problems);
  if (whole.kind !== "map") return service;
  const kept = [...whole.entries].filter(([key]) => !notInherited.includes(key));
  return mergeTrees({ ...whole, entries: new Map(kept) }, service, `services.${name}`);
}

/** Undefined for what the check of keys reports anyway. */
function baseName(tree: Tree): string | undefined {
  if (tree.kind === "scalar") return tree.text;
  if (tree.kind !== "map" || tree.entries.has("file")) return undefined;
  const service = tree.entries.get("service")?.value;
  return service?.kind === "scalar" ? service.text : undefined;
}
