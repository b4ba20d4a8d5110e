/**
 * What came and what went between two lists: how the placer learns what is new without being told.
 * Lists that differ in one stretch, as after a node came or went, cost one comparison an item.
 */

import type { Incumbent, NodeCandidate, Refusal, Wanted } from "./input.ts";
import { isSameNode } from "./site.ts";

export type Difference<Item> = { readonly gone: readonly Item[]; readonly come: readonly Item[] };

export type Meaning<Item> = {
  /** Equal in everything that placement looks at; an item that is its own equal comes first. */
  readonly isSame: (left: Item, right: Item) => boolean;
  /** Equal for items that may be the same. */
  readonly keyOf: (item: Item) => string;
};

/** As multisets: order means nothing, repeats count. An item that changed has gone and come. */
export function difference<Item>(
  last: readonly Item[],
  next: readonly Item[],
  { isSame, keyOf }: Meaning<Item>,
): Difference<Item> {
  const shorter = Math.min(last.length, next.length);
  let start = 0;
  while (start < shorter && isSame(last[start] as Item, next[start] as Item)) start++;
  let lastEnd = last.length;
  let nextEnd = next.length;
  while (lastEnd > start && nextEnd > start) {
    if (!isSame(last[lastEnd - 1] as Item, next[nextEnd - 1] as Item)) break;
    lastEnd--;
    nextEnd--;
  }
  const middle = { last: last.slice(start, lastEnd), next: next.slice(start, nextEnd) };
  if (middle.last.length === 0 || middle.next.length === 0) {
    return { gone: middle.last, come: middle.next };
  }
  return match(middle.last, middle.next, { isSame, keyOf });
}

function match<Item>(
  last: readonly Item[],
  next: readonly Item[],
  { isSame, keyOf }: Meaning<Item>,
): Difference<Item> {
  const unmatched = new Map<string, Item[]>();
  for (const item of last) {
    const alike = unmatched.get(keyOf(item));
    if (alike === undefined) unmatched.set(keyOf(item), [item]);
    else alike.push(item);
  }
  const come: Item[] = [];
  for (const item of next) {
    const alike = unmatched.get(keyOf(item)) ?? [];
    const at = alike.findIndex((other) => isSame(other, item));
    if (at < 0) come.push(item);
    else alike.splice(at, 1);
  }
  return { gone: [...unmatched.values()].flat(), come };
}

export function isNothing({ gone, come }: Difference<unknown>): boolean {
  return gone.length === 0 && come.length === 0;
}

export function onlyInOne<Item>(
  last: ReadonlySet<Item> = new Set(),
  next: ReadonlySet<Item> = new Set(),
): Item[] {
  if (last === next) return [];
  const gone = [...last].filter((item) => !next.has(item));
  return [...gone, ...[...next].filter((item) => !last.has(item))];
}

export function isSameMap<Key, Value>(
  last: ReadonlyMap<Key, Value> = new Map(),
  next: ReadonlyMap<Key, Value> = new Map(),
): boolean {
  return last.size === next.size && [...last].every(([key, value]) => next.get(key) === value);
}

/** What makes parts of the placer's input the same. */
export const compared = {
  nodes: { isSame: isSameNode, keyOf: ({ node }) => node } satisfies Meaning<NodeCandidate>,
  wanted: {
    isSame: (left, right) =>
      left === right ||
      (left.spec === right.spec &&
        left.revision === right.revision &&
        left.replicas === right.replicas &&
        left.createdAtMs === right.createdAtMs),
    keyOf: ({ spec }) => spec.service,
  } satisfies Meaning<Wanted>,
  incumbents: {
    isSame: (left, right) =>
      left === right ||
      (left.replica === right.replica && left.node === right.node && left.rank === right.rank),
    keyOf: ({ replica }) => replica,
  } satisfies Meaning<Incumbent>,
  refusals: {
    isSame: (left, right) =>
      left === right ||
      (left.replica === right.replica &&
        left.revision === right.revision &&
        left.node === right.node),
    keyOf: ({ replica }) => replica,
  } satisfies Meaning<Refusal>,
};
