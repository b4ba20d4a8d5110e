/**
 * One place in a Compose file while it is being read: the value (or nothing), where it stands,
 * and the list that mistakes go to. Every reading method gives undefined when the field is absent
 * or wrong, and in the latter case has said so: readers go on, so that all mistakes come at once.
 */

import type { Problem } from "../../model/problem.ts";
import { parseBytes, parseCpus, parseDuration } from "./quantities.ts";
import type { Place, Tree } from "./tree.ts";
import { splitWords } from "./words.ts";

export class Field {
  readonly path: string;
  readonly at: Place;
  /** Undefined also for a key with nothing behind it: Compose treats both alike. */
  readonly tree: Tree | undefined;
  readonly #problems: Problem[];

  constructor(tree: Tree | undefined, path: string, at: Place, problems: Problem[]) {
    this.tree = tree?.kind === "scalar" && tree.empty ? undefined : tree;
    this.path = path;
    this.at = at;
    this.#problems = problems;
  }

  get isPresent(): boolean {
    return this.tree !== undefined;
  }

  /** Absent when this is no map. */
  get(key: string): Field {
    const entry = this.tree?.kind === "map" ? this.tree.entries.get(key) : undefined;
    const path = this.path === "" ? key : `${this.path}.${key}`;
    return new Field(entry?.value, path, entry?.at ?? this.at, this.#problems);
  }

  invalid(detail: string): undefined {
    this.#problems.push({ code: "value-invalid", ...this.at, path: this.path, detail });
  }

  unsupported(detail: string): undefined {
    this.#problems.push({ code: "key-unsupported", ...this.at, path: this.path, detail });
  }

  ignored(detail: string): undefined {
    this.#problems.push({ code: "key-ignored", ...this.at, path: this.path, detail });
  }

  assumed(detail: string): undefined {
    this.#problems.push({ code: "value-assumed", ...this.at, path: this.path, detail });
  }

  report(problem: Problem): undefined {
    this.#problems.push(problem);
  }

  /** A scalar as written. */
  text(): string | undefined {
    if (this.tree === undefined) return undefined;
    if (this.tree.kind === "scalar") return this.tree.text;
    return this.invalid(`expected text, found a ${this.tree.kind}`);
  }

  /** Like `text`, and blank counts as absent: what a variable without a value leaves behind. */
  word(): string | undefined {
    const text = this.text()?.trim();
    return text === "" ? undefined : text;
  }

  flag(): boolean | undefined {
    const word = this.word()?.toLowerCase();
    if (word === undefined) return undefined;
    if (["true", "yes", "on", "y", "1"].includes(word)) return true;
    if (["false", "no", "off", "n", "0"].includes(word)) return false;
    return this.invalid(`expected true or false, found "${word}"`);
  }

  whole(min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const word = this.word();
    if (word === undefined) return undefined;
    const value = /^-?\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
    return this.invalid(`expected a whole number, ${range}, found "${word}"`);
  }

  ratio(): number | undefined {
    const word = this.word();
    if (word === undefined) return undefined;
    const value = Number(word);
    if (value >= 0 && value <= 1) return value;
    return this.invalid(`expected a number from 0 to 1, found "${word}"`);
  }

  choice<const Choice extends string>(choices: readonly Choice[]): Choice | undefined {
    const word = this.word();
    if (word === undefined) return undefined;
    const choice = choices.find((one) => one === word);
    return choice ?? this.invalid(`expected ${listOf(choices)}, found "${word}"`);
  }

  durationMs(): number | undefined {
    return this.#parse(parseDuration, 'a duration such as "1m30s"');
  }

  bytes(): number | undefined {
    return this.#parse(parseBytes, 'an amount of bytes such as "512m"');
  }

  cpuMilli(): number | undefined {
    return this.#parse(parseCpus, 'a number of CPUs such as "0.5"');
  }

  #parse(parse: (text: string) => number | undefined, wanted: string): number | undefined {
    const word = this.word();
    if (word === undefined) return undefined;
    return parse(word) ?? this.invalid(`expected ${wanted}, found "${word}"`);
  }

  /** The items of a list; none when absent. */
  items(): Field[] {
    if (this.tree === undefined) return [];
    if (this.tree.kind !== "list") {
      this.invalid(`expected a list, found ${this.tree.kind === "map" ? "a map" : "text"}`);
      return [];
    }
    return this.tree.items.map((item, index) => {
      return new Field(item, `${this.path}[${index}]`, item.at, this.#problems);
    });
  }

  /** The entries of a map, absent values included; none when absent. */
  entries(): [key: string, field: Field][] {
    if (this.tree === undefined) return [];
    // That something else is no map is said by the check of keys.
    if (this.tree.kind !== "map") return [];
    return [...this.tree.entries.keys()].map((key) => [key, this.get(key)]);
  }

  /** A list of texts, or a single text as a list of one; undefined when absent. */
  texts(): string[] | undefined {
    if (this.tree === undefined) return undefined;
    if (this.tree.kind === "scalar") return this.word() === undefined ? [] : [this.tree.text];
    return this.items().flatMap((item) => item.text() ?? []);
  }

  /** A command: a list is taken as it is, text is split as a shell would. */
  command(): string[] | undefined {
    if (this.tree?.kind !== "scalar") return this.texts();
    const words = splitWords(this.tree.text);
    return words ?? this.invalid("a quote is not closed");
  }

  /** NAME=value items or a map of them; null where a name stands alone. */
  pairs(): Map<string, string | null> {
    const pairs = new Map<string, string | null>();
    if (this.tree?.kind === "map") {
      for (const [key, field] of this.entries()) pairs.set(key, field.text() ?? null);
      return pairs;
    }
    for (const item of this.items()) {
      const text = item.text() ?? "";
      const equals = text.indexOf("=");
      if (equals < 0) pairs.set(text, null);
      else pairs.set(text.slice(0, equals), text.slice(equals + 1));
    }
    pairs.delete("");
    return pairs;
  }
}

function listOf(choices: readonly string[]): string {
  return choices.map((choice) => `"${choice}"`).join(" or ");
}

type Defined<Shape> = { [Key in keyof Shape]: Exclude<Shape[Key], undefined> };

/** Leaves out what is undefined: an absent field means the engine's own default. */
export function defined<Shape extends object>(shape: Shape): Partial<Defined<Shape>> {
  const present = Object.entries(shape).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Partial<Defined<Shape>>;
}
