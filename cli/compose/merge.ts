/**
 * Several Compose files made one, later over earlier.
 *
 * Source: Compose specification, "Merge": maps merge key by key, lists append, scalars are
 * replaced; command, entrypoint and a health check's test are replaced whole; environment and
 * labels merge by name whether written as list or map; mounts merge by target; `!reset` drops,
 * `!override` replaces.
 */

import type { Entry, ListTree, MapTree, ScalarTree, Tree } from "./tree.ts";

const replaced = /^services\.[^.]+\.(command|entrypoint|healthcheck\.test)$/;
const namedPairs = /^services\.[^.]+\.(environment|labels|sysctls|extra_hosts|deploy\.labels)$/;
const namedLists = /^services\.[^.]+\.(networks|depends_on)$/;
const byTarget = /^services\.[^.]+\.(volumes|devices)$/;

export function mergeTrees(base: Tree, over: Tree, path = ""): Tree {
  if (over.tag !== "" || replaced.test(path)) return over;
  const separator = separatorOf(path);
  if (separator !== undefined) {
    return mergeMaps(toMap(base, separator), toMap(over, separator), path);
  }
  if (base.kind === "map" && over.kind === "map") return mergeMaps(base, over, path);
  if (base.kind === "list" && over.kind === "list") return appendLists(base, over, path);
  return over.kind === "scalar" && over.empty && base.kind !== "scalar" ? base : over;
}

/** What parts a name from its value in items of lists that merge by name; undefined elsewhere. */
function separatorOf(path: string): RegExp | undefined {
  if (path.endsWith(".extra_hosts")) return /[=:]/;
  if (namedPairs.test(path)) return /=/;
  return namedLists.test(path) ? /$/ : undefined;
}

function mergeMaps(base: MapTree, over: MapTree, path: string): MapTree {
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const inner = path === "" ? key : `${path}.${key}`;
    const known = entries.get(key);
    if (entry.value.tag === "reset") entries.delete(key);
    else if (known === undefined) entries.set(key, entry);
    else entries.set(key, { at: entry.at, value: mergeTrees(known.value, entry.value, inner) });
  }
  return { ...base, entries };
}

/** Same text twice is once; a mount or device on a target takes the place of the earlier one. */
function appendLists(base: ListTree, over: ListTree, path: string): ListTree {
  const keyOf = byTarget.test(path) ? targetOf : textOf;
  const items = new Map<string, Tree>();
  for (const item of [...base.items, ...over.items]) items.set(keyOf(item), item);
  return { ...over, items: [...items.values()] };
}

function textOf(tree: Tree): string {
  switch (tree.kind) {
    case "scalar":
      return tree.text;
    case "list":
      return JSON.stringify(tree.items.map(textOf));
    case "map":
      return JSON.stringify([...tree.entries].map(([key, { value }]) => [key, textOf(value)]));
  }
}

function targetOf(tree: Tree): string {
  if (tree.kind === "map") {
    const target = tree.entries.get("target")?.value;
    return target === undefined ? textOf(tree) : textOf(target);
  }
  const parts = textOf(tree).split(":");
  return parts[1] ?? parts[0] ?? "";
}

/** A list of "NAME=value" (or of bare names) as the map it means. */
function toMap(tree: Tree, separator: RegExp): MapTree {
  if (tree.kind === "map") return tree;
  const entries = new Map<string, Entry>();
  for (const item of tree.kind === "list" ? tree.items : []) {
    const text = textOf(item);
    const split = text.search(separator);
    const empty = split < 0 || split === text.length;
    const { at } = item;
    const rest = empty ? "" : text.slice(split + 1);
    const value: ScalarTree = { kind: "scalar", at, tag: "", text: rest, empty };
    entries.set(empty ? text : text.slice(0, split), { at, value });
  }
  return { kind: "map", at: tree.at, tag: tree.tag, entries };
}

/** What remains of the tags in a single file: `!reset` keys go, wherever they stand. */
export function dropReset(tree: Tree): Tree {
  switch (tree.kind) {
    case "scalar":
      return tree;
    case "list":
      return { ...tree, items: tree.items.filter(({ tag }) => tag !== "reset").map(dropReset) };
    case "map": {
      const kept = [...tree.entries].filter(([, { value }]) => value.tag !== "reset");
      const entries = kept.map(([key, { at, value }]) => [key, { at, value: dropReset(value) }]);
      return { ...tree, entries: new Map(entries as [string, Entry][]) };
    }
  }
}
