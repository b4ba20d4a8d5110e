/**
 * Files of NAME=value lines: `.env` beside the Compose file, and what `env_file` names.
 *
 * Source: Compose specification, "env_file" and ".env file syntax": # begins a comment at the
 * start of a line or after a blank; 'single quotes' are literal; "double quotes" know \n, \t, \"
 * and variables; `export ` before a name is allowed; a name alone is taken from the environment.
 */

import { type Environment, interpolate, type Mistake } from "./interpolation.ts";

export type EnvFile = {
  /** A name alone that the environment does not have is left out. */
  readonly values: Readonly<Record<string, string>>;
  /** `line` counts from 1. */
  readonly mistakes: readonly (Mistake & { readonly line: number })[];
};

type Found = { readonly value: string; readonly literal: boolean; readonly next: number };

const assignment = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(=|$)/;

/** `environment` wins nothing here: it only fills names alone and variables in values. */
export function parseEnvFile(text: string, environment: Environment): EnvFile {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const values: Record<string, string> = {};
  const mistakes: (Mistake & { line: number })[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const number = at + 1;
    at++;
    if (/^\s*(#|$)/.test(line)) continue;
    const match = assignment.exec(line);
    const name = match?.[1];
    if (match === null || name === undefined) {
      mistakes.push({ kind: "malformed", detail: "expected NAME=value", line: number });
      continue;
    }
    if (match[2] === "") {
      const inherited = environment[name];
      if (inherited !== undefined) values[name] = inherited;
      continue;
    }
    const found = readValue(lines, at - 1, line.slice(match[0].length));
    at = found.next;
    const known = { ...environment, ...values };
    const result = found.literal
      ? { text: found.value, mistakes: [] }
      : interpolate(found.value, known);
    values[name] = result.text;
    mistakes.push(...result.mistakes.map((mistake) => ({ ...mistake, line: number })));
  }
  return { values, mistakes };
}

/** A quoted value may run over several lines; `next` is the line after it. */
function readValue(lines: readonly string[], start: number, first: string): Found {
  const text = first.trimStart();
  const quote = text[0];
  if (quote !== '"' && quote !== "'") {
    return { value: text.replace(/\s+#.*$/, "").trimEnd(), literal: false, next: start + 1 };
  }
  const joined = [text, ...lines.slice(start + 1)].join("\n");
  const end = closingQuote(joined, quote);
  if (end < 0) return { value: text.trimEnd(), literal: false, next: start + 1 };
  const inner = joined.slice(1, end);
  const next = start + 1 + (inner.split("\n").length - 1);
  return { value: quote === "'" ? inner : expandEscapes(inner), literal: quote === "'", next };
}

function closingQuote(text: string, quote: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === "\\" && quote === '"') at++;
    else if (text[at] === quote) return at;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", $: "$$" };

function expandEscapes(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, character: string) => escapes[character] ?? character);
}
