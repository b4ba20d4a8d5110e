/**
 * A Compose file as a tree that knows its lines. YAML's anchors, aliases and merge keys are
 * resolved here; scalars stay text, because what `8080` or `yes` means depends on the key.
 *
 * Source: YAML 1.2.2 (core schema, chapter 10) and YAML's merge key draft of 2005 (`<<`), which
 * 1.2 dropped and Compose files use all the time. Begin reading at `parseTree`.
 *
 * Invariant: total and bounded. Aliases that unfold to more than `nodesMax` nodes, or into
 * themselves, are a problem and no tree.
 */

import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from "yaml";
import type { Problem } from "../../model/problem.ts";

/** `line` counts from 1. */
export type Place = { readonly file: string; readonly line: number };

export type Tree = MapTree | ListTree | ScalarTree;

export type MapTree = {
  readonly kind: "map";
  readonly at: Place;
  readonly tag: Tag;
  readonly entries: ReadonlyMap<string, Entry>;
};

/** `at` is the key's own place, the one to report. */
export type Entry = { readonly at: Place; readonly value: Tree };

export type ListTree = {
  readonly kind: "list";
  readonly at: Place;
  readonly tag: Tag;
  readonly items: readonly Tree[];
};

export type ScalarTree = {
  readonly kind: "scalar";
  readonly at: Place;
  readonly tag: Tag;
  /** As written, unquoted: "0755", "yes", "1.10". */
  readonly text: string;
  /** Nothing was written, or a plain `~` or `null`. */
  readonly empty: boolean;
};

/** Compose's words to a merge: drop what earlier files said, or stand in its place. */
export type Tag = "" | "reset" | "override";

/** A Compose file of a thousand services stays below; a bomb of aliases does not. */
const nodesMax = 100_000;
const depthMax = 64;
const fileCharactersMax = 4 * 1024 * 1024;
/** One slip of indentation makes YAML report dozens of follow-ups. */
const mistakesShown = 10;

type Parsed = { readonly tree: Tree | undefined; readonly problems: readonly Problem[] };

export function parseTree(file: string, text: string): Parsed {
  const fail = (line: number, detail: string): Problem => {
    return { code: "yaml-malformed", file, line, detail };
  };
  if (text.length > fileCharactersMax) {
    return { tree: undefined, problems: [fail(0, "it is larger than 4 MiB")] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
  });
  if (document.errors.length > 0) {
    const problems = document.errors.slice(0, mistakesShown).map((error) => {
      const opened = /^Missing closing .quote/.test(error.message)
        ? openQuote(document)
        : undefined;
      const at = lines.linePos(opened ?? error.pos[0]).line;
      return fail(at, opened === undefined ? plain(error.message) : "this quote is never closed");
    });
    return { tree: undefined, problems };
  }
  const grower = new Grower(file, lines);
  const tree = grower.grow(document.contents as Node | null, 0);
  const problems = grower.mistakes.slice(0, mistakesShown).map(({ line, detail }) => {
    return fail(line, detail);
  });
  return { tree: problems.length > 0 ? undefined : tree, problems };
}

/** The library says where the text ended without it: it is the last quote that was opened. */
function openQuote(document: Document): number | undefined {
  let at: number | undefined;
  visit(document, {
    Scalar: (_key, { type, range }) => {
      if (type === "QUOTE_DOUBLE" || type === "QUOTE_SINGLE") at = range?.[0];
    },
  });
  return at;
}

/** The library's messages begin with a capital and may show code: one clause is enough. */
function plain(message: string): string {
  const first = (message.split("\n")[0] ?? "").replace(/[.:]$/, "");
  return first.charAt(0).toLowerCase() + first.slice(1);
}

class Grower {
  readonly mistakes: { line: number; detail: string }[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;
  /** The latest node of each anchor so far: aliases mean the one before them. */
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  grow(node: Node | null, depth: number): Tree {
    const at = this.#placeOf(node);
    const scalar = { kind: "scalar", at, tag: tagOf(node), text: "", empty: true } as const;
    this.#nodes++;
    if (this.#nodes > nodesMax || depth > depthMax) {
      if (this.mistakes.length === 0) this.#mistake(at, "its aliases unfold without end");
      return scalar;
    }
    if (node === null) return scalar;
    if (isAlias(node)) return this.#follow(node.source, at, depth);
    if (isCollection(node) || isScalar(node)) {
      if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    }
    if (isMap(node)) {
      const entries = this.#entries(node, depth);
      return { kind: "map", at, tag: tagOf(node), entries };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => this.grow(item as Node | null, depth + 1));
      return { kind: "list", at, tag: tagOf(node), items };
    }
    if (!isScalar(node)) return scalar;
    const isText = typeof node.value === "string";
    const empty = node.value === null || node.value === undefined;
    const text = isText ? String(node.value) : empty ? "" : (node.source ?? String(node.value));
    return { ...scalar, text, empty };
  }

  #follow(anchor: string, at: Place, depth: number): Tree {
    const target = this.#anchors.get(anchor);
    if (target !== undefined) return this.grow(target, depth + 1);
    this.#mistake(at, `the alias *${anchor} stands before its anchor`);
    return { kind: "scalar", at, tag: "", text: "", empty: true };
  }

  /** Own keys win over merged ones, earlier merged ones over later ones. */
  #entries(map: YAMLMap, depth: number): Map<string, Entry> {
    const entries = new Map<string, Entry>();
    const merged: Tree[] = [];
    for (const pair of map.items as Pair<Node | null, Node | null>[]) {
      const key = this.#keyOf(pair.key);
      const at = this.#placeOf(pair.key);
      if (key === undefined) this.#mistake(at, "a key must be plain text");
      else if (key === "<<") merged.push(this.grow(pair.value, depth + 1));
      else entries.set(key, { at, value: this.grow(pair.value, depth + 1) });
    }
    for (const source of merged) this.#mergeInto(entries, source);
    return entries;
  }

  #mergeInto(entries: Map<string, Entry>, source: Tree): void {
    if (source.kind === "list") {
      for (const item of source.items) this.#mergeInto(entries, item);
    } else if (source.kind === "map") {
      for (const [key, entry] of source.entries) {
        if (!entries.has(key)) entries.set(key, entry);
      }
    } else if (!source.empty) {
      this.#mistake(source.at, "a merge key (<<) takes a map or a list of maps");
    }
  }

  #keyOf(key: Node | null): string | undefined {
    if (isScalar(key) && key.anchor !== undefined) this.#anchors.set(key.anchor, key);
    const target = isAlias(key) ? this.#anchors.get(key.source) : key;
    if (!isScalar(target)) return undefined;
    return typeof target.value === "string" ? target.value : (target.source ?? "");
  }

  #placeOf(node: Node | null): Place {
    const offset = node?.range?.[0] ?? 0;
    return { file: this.#file, line: this.#lines.linePos(offset).line };
  }

  #mistake(at: Place, detail: string): void {
    this.mistakes.push({ line: at.line, detail });
  }
}

function tagOf(node: Node | null): Tag {
  const tag = (node as { tag?: string } | null)?.tag;
  return tag === "!reset" ? "reset" : tag === "!override" ? "override" : "";
}
