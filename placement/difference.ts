/**
 * What came and what went between two lists: how the placer learns what is new without being told.
 * Lists that agree but for short stretches, as after a node came or went, cost one comparison an
 * item; others a look-up each.
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

/** How far two lists are searched for where they agree again: a node has about so many replicas. */
const lookAhead = 64;

/** As multisets: order means nothing, repeats count. An item that changed has gone and come. */
export function difference<Item>(
  last: readonly Item[],
  next: readonly Item[],
  meaning: Meaning<Item>,
): Difference<Item> {
  const { isSame } = meaning;
  const gone: Item[] = [];
  const come: Item[] = [];
  let lastAt = 0;
  let nextAt = 0;
  while (lastAt < last.length && nextAt < next.length) {
    if (!isSame(last[lastAt] as Item, next[nextAt] as Item)) {
      const skip = resume(last, lastAt, next, nextAt, isSame);
      if (skip === undefined) break;
      for (const end = lastAt + skip.last; lastAt < end; lastAt++) gone.push(last[lastAt] as Item);
      for (const end = nextAt + skip.next; nextAt < end; nextAt++) come.push(next[nextAt] as Item);
    }
    lastAt++;
    nextAt++;
  }
  for (; lastAt < last.length; lastAt++) gone.push(last[lastAt] as Item);
  for (; nextAt < next.length; nextAt++) come.push(next[nextAt] as Item);
  return gone.length === 0 || come.length === 0 ? { gone, come } : match(gone, come, meaning);
}

/** How many of each list to leave out until both go on with the same item. */
function resume<Item>(
  last: readonly Item[],
  lastAt: number,
  next: readonly Item[],
  nextAt: number,
  isSame: Meaning<Item>["isSame"],
): { readonly last: number; readonly next: number } | undefined {
  const agree = (skipLast: number, skipNext: number): boolean => {
    const [left, right] = [last[lastAt + skipLast], next[nextAt + skipNext]];
    return left !== undefined && right !== undefined && isSame(left, right);
  };
  for (let skip = 1; skip <= lookAhead; skip++) {
    if (agree(skip, 0)) return { last: skip, next: 0 };
    if (agree(0, skip)) return { last: 0, next: skip };
    if (agree(skip, skip)) return { last: skip, next: skip };
  }
  return undefined;
}

/** Leaves out what only changed its place. */
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
  /** Ranks are compared where they matter, see holdings.ts: as positions in a list, all change. */
  incumbents: {
    isSame: (left, right) =>
      left === right || (left.replica === right.replica && left.node === right.node),
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
