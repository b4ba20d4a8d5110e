/** Arguments of a command as the person typed them, read with a clear problem for each slip. */

import { OperationError, type Problem } from "../model/problem.ts";
import { parseInstant } from "./calendar.ts";
import { parseBytes, parseCpus, parseDuration } from "./compose/quantities.ts";

/** Commander's own: a text, a list of repeated ones, or true. */
export type RawOptions = Readonly<Record<string, unknown>>;

export class Options {
  readonly #raw: RawOptions;

  constructor(raw: RawOptions) {
    this.#raw = raw;
  }

  has(name: string): boolean {
    return this.#raw[toKey(name)] !== undefined;
  }

  flag(name: string): boolean {
    return this.#raw[toKey(name)] === true;
  }

  text(name: string): string | undefined {
    const value = this.#raw[toKey(name)];
    return typeof value === "string" ? value : undefined;
  }

  /** Of a repeatable option; none when it was not given. */
  list(name: string): readonly string[] {
    const value = this.#raw[toKey(name)];
    return Array.isArray(value) ? value.map(String) : typeof value === "string" ? [value] : [];
  }

  whole(name: string): number | undefined {
    return this.#read(name, "a whole number", (text) => {
      return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
    });
  }

  ratio(name: string): number | undefined {
    return this.#read(name, "a number from 0 to 1", (text) => {
      return Number(text) >= 0 && Number(text) <= 1 ? Number(text) : undefined;
    });
  }

  durationMs(name: string): number | undefined {
    return this.#read(name, 'a duration such as "1m30s"', parseDuration);
  }

  bytes(name: string): number | undefined {
    return this.#read(name, 'an amount of bytes such as "512m"', parseBytes);
  }

  cpuMilli(name: string): number | undefined {
    return this.#read(name, 'a number of CPUs such as "0.5"', parseCpus);
  }

  instant(name: string, nowMs: number): number | undefined {
    return this.#read(name, 'a time such as "2026-01-31T10:00:00Z" or "10m"', (text) => {
      const spanMs = parseDuration(text);
      return spanMs === undefined ? parseInstant(text) : nowMs - spanMs;
    });
  }

  choice<const Choice extends string>(
    name: string,
    choices: readonly Choice[],
  ): Choice | undefined {
    return this.#read(name, choices.join(", "), (text) => {
      return choices.find((choice) => choice === text);
    });
  }

  /** NAME=value items; a name alone has "". */
  pairs(name: string): [name: string, value: string][] {
    return this.list(name).map((item) => splitPair(item));
  }

  #read<Value>(
    name: string,
    wanted: string,
    parse: (text: string) => Value | undefined,
  ): Value | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value !== undefined) return value;
    throw slip(`--${name}`, `expected ${wanted}, found "${text}"`);
  }
}

export function splitPair(text: string): [name: string, value: string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** A person's slip on the command line; the command ends with exit code 2. */
export function slip(argument: string, detail: string): OperationError {
  return new OperationError({ code: "argument-invalid", argument, detail });
}

export function isSlip(problems: readonly Problem[]): boolean {
  return problems.every(({ code }) => code === "argument-invalid");
}

/** "env-add" as commander names it: "envAdd". */
function toKey(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
