/**
 * Who may import whom, as DESIGN's house draws it: what a folder imports, it depends on for ever.
 * The pure core stands at the left, and nothing on the left knows what stands on the right.
 */

import { dirname, join } from "node:path/posix";
import type { SourceFile } from "./source-tree.ts";

const core = ["model", "crdt", "placement", "dns", "lb", "overlay", "trust", "link", "gossip"];

/** A folder may import itself and these. What is not named here (test, bench) may import all. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  crdt: [],
  placement: ["model"],
  dns: ["model"],
  lb: ["model"],
  overlay: ["model"],
  trust: ["model", "crdt"],
  link: ["model", "crdt", "trust"],
  gossip: ["model", "crdt", "trust", "link"],
  engine: ["model"],
  node: [...core, "ports.ts"],
  api: ["model", "crdt", "trust", "link"],
  cli: ["model", "api"],
  web: ["model", "api"],
  sim: ["model", "crdt", "trust", "link", "gossip", "ports.ts", "node"],
  "ports.ts": ["model"],
};

/** The one file that puts real parts together. */
const compositionRoot = "node/daemon.ts";

/** The sentences of all breaches, empty when the rule holds. */
export function breaches(file: SourceFile): string[] {
  const from = roomOf(file.path);
  const allowed = mayImport[from];
  if (allowed === undefined || file.path === compositionRoot) return [];
  return file.imports.flatMap(({ from: name, typeOnly }) => {
    if (!name.startsWith(".")) return [];
    const target = join(dirname(file.path), name);
    const to = roomOf(target);
    if (to === from || allowed.includes(to)) return [];
    // Ports are a page of types: naming one binds nobody to a part.
    if (to === "ports.ts" && typeOnly) return [];
    return [`${file.path} imports ${target}: ${from}/ may not depend on ${to}`];
  });
}

/** The first ring of imports found, as "a → b → a", or undefined. Types count as well. */
export function findCycle(files: readonly SourceFile[]): string | undefined {
  const edges = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter(({ from }) => from.startsWith("."))
        .map(({ from }) => join(dirname(file.path), from)),
    ]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string | undefined => {
    const at = trail.indexOf(path);
    if (at >= 0) return [...trail.slice(at), path].join(" → ");
    if (done.has(path)) return undefined;
    for (const next of edges.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** "crdt" for "crdt/stamp.ts"; the file itself when it stands at the top. */
function roomOf(path: string): string {
  return path.split("/")[0] as string;
}
