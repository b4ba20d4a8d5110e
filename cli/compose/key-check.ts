/** A Compose file held against the table of keys (keys.ts): what is unknown, ignored, refused. */

import type { Problem } from "../../model/problem.ts";
import { type Key, type Standing, table } from "./keys.ts";
import { nearest } from "./suggestion.ts";
import type { Entry, Tree } from "./tree.ts";

export const keys: readonly Key[] = readKeys(table);

/** The keys of a table in that notation; blank lines part groups and mean nothing. */
export function readKeys(text: string): Key[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [path = "", standing = "", note = ""] = line.split(/ {2,}/);
      return { path, standing: standing as Standing, note };
    });
}

/** The table as a tree of path segments: "services", "*", "ports", "[]", "target". */
type Branch = { key: Key | undefined; readonly children: Map<string, Branch> };

const root = plant(keys);

function plant(list: readonly Key[]): Branch {
  const top: Branch = { key: undefined, children: new Map() };
  for (const key of list) {
    let branch = top;
    for (const segment of key.path.replaceAll("[]", ".[]").split(".")) {
      const next = branch.children.get(segment) ?? { key: undefined, children: new Map() };
      branch.children.set(segment, next);
      branch = next;
    }
    branch.key = key;
  }
  return top;
}

export function checkKeys(tree: Tree): Problem[] {
  const problems: Problem[] = [];
  walk(tree, root, "", problems);
  return problems;
}

/** Keys that may be a map among other things. */
const eitherWay: ReadonlySet<string> = new Set([
  "services.*.extends",
  "services.*.networks",
  "services.*.ulimits.*",
  "services.*.x-shoal.health.liveness.tcp",
  "services.*.x-shoal.health.readiness.tcp",
  "networks.*.external",
  "volumes.*.external",
]);

function walk(tree: Tree, branch: Branch, path: string, problems: Problem[]): void {
  if (tree.kind !== "map" && needsMap(branch) && !(tree.kind === "scalar" && tree.text === "")) {
    const detail = `expected a map, found ${tree.kind === "list" ? "a list" : "text"}`;
    problems.push({ code: "value-invalid", ...tree.at, path, detail });
    return;
  }
  if (tree.kind === "list") {
    const items = branch.children.get("[]");
    if (items === undefined) return;
    for (const [index, item] of tree.items.entries()) {
      walk(item, items, `${path}[${index}]`, problems);
    }
  } else if (tree.kind === "map" && !branch.children.has("**")) {
    for (const [key, entry] of tree.entries) {
      check(key, entry, branch, path === "" ? key : `${path}.${key}`, problems);
    }
  }
}

function check(key: string, entry: Entry, above: Branch, path: string, problems: Problem[]): void {
  const branch = above.children.get(key) ?? above.children.get("*");
  const standing = branch?.key?.standing;
  if (branch === undefined) {
    // A map where the table has none: its reader says what it expected instead.
    if (key.startsWith("x-") || isLeaf(above)) return;
    const known = [...above.children.keys()].filter((name) => /^[a-z]/.test(name));
    problems.push({ code: "key-unknown", ...entry.at, path, suggestion: nearest(key, known) });
  } else if (standing === "ignored" || standing === "refused") {
    if (saysNothing(entry.value)) return;
    const code = standing === "ignored" ? "key-ignored" : "key-unsupported";
    problems.push({ code, ...entry.at, path, detail: branch.key?.note ?? "" });
  } else {
    walk(entry.value, branch, path, problems);
  }
}

function needsMap({ key, children }: Branch): boolean {
  if (key === undefined || eitherWay.has(key.path)) return false;
  return [...children.keys()].some((name) => name !== "[]" && name !== "**");
}

function isLeaf(branch: Branch): boolean {
  return branch.children.size === 0 || (branch.children.size === 1 && branch.children.has("[]"));
}

/** `secrets: []` asks for nothing, so nothing is refused. */
function saysNothing(tree: Tree): boolean {
  switch (tree.kind) {
    case "scalar":
      return tree.text === "" || tree.text === "false";
    case "list":
      return tree.items.length === 0;
    case "map":
      return tree.entries.size === 0;
  }
}
