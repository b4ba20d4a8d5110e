/**
 * Variables in Compose files: $NAME, ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?message},
 * ${NAME?message}, ${NAME:+other}, ${NAME+other}; the part after the operator may hold variables
 * itself; $$ is a dollar sign. With the colon, a blank value counts as unset.
 *
 * Source: Compose specification, "Interpolation". Like Compose, a variable that is unset and has
 * no default becomes blank, with a warning.
 */

export type Environment = Readonly<Record<string, string>>;

export type Interpolated = {
  readonly text: string;
  readonly mistakes: readonly Mistake[];
};

export type Mistake = Readonly<
  /** Unset without a default: became blank. */
  | { kind: "blank"; variable: string }
  /** Required by :? or ?, and the file's own words on it. */
  | { kind: "required"; variable: string; detail: string }
  | { kind: "malformed"; detail: string }
>;

/** Defaults within defaults: real files go two deep. */
const depthMax = 16;

export function interpolate(text: string, env: Environment, depth = 0): Interpolated {
  if (!text.includes("$")) return { text, mistakes: [] };
  if (depth > depthMax) return malformed(text, "variables are nested too deep");
  const mistakes: Mistake[] = [];
  let result = "";
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf("$", at);
    if (dollar < 0) break;
    result += text.slice(at, dollar);
    const piece = readPiece(text, dollar, env, depth);
    result += piece.text;
    mistakes.push(...piece.mistakes);
    at = piece.end;
  }
  return { text: result + text.slice(at), mistakes };
}

type Piece = Interpolated & { readonly end: number };

function readPiece(text: string, dollar: number, env: Environment, depth: number): Piece {
  const next = text[dollar + 1];
  if (next === "$") return { text: "$", mistakes: [], end: dollar + 2 };
  if (next === "{") {
    const close = closingBrace(text, dollar + 1);
    if (close < 0) {
      const { mistakes } = malformed("", `\${ without } in "${shorten(text)}"`);
      return { text: "", mistakes, end: text.length };
    }
    return { ...braced(text.slice(dollar + 2, close), env, depth), end: close + 1 };
  }
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(dollar + 1))?.[0];
  if (name === undefined) {
    const detail = `"$" begins no variable in "${shorten(text)}": write $$ for a dollar sign`;
    return { ...malformed("$", detail), end: dollar + 1 };
  }
  return { ...plain(name, env), end: dollar + 1 + name.length };
}

/** Index of the } that closes the { at `open`, or -1. */
function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "$" && text[at + 1] === "$") at++;
    else if (text[at] === "{" && (at === open || text[at - 1] === "$")) depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

const expression = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([\s\S]*))?$/;

function braced(inner: string, env: Environment, depth: number): Interpolated {
  const match = expression.exec(inner);
  const name = match?.[1];
  if (match === null || name === undefined) {
    return malformed("", `"\${${shorten(inner)}}" is no variable: write $$ for a dollar sign`);
  }
  const operator = match[2];
  if (operator === undefined) return plain(name, env);
  const rest = match[3] ?? "";
  const value = lookUp(env, name);
  const isSet = value !== undefined && !(operator.startsWith(":") && value === "");
  switch (operator.at(-1)) {
    case "-":
      return isSet ? { text: value, mistakes: [] } : interpolate(rest, env, depth + 1);
    case "+":
      return isSet ? interpolate(rest, env, depth + 1) : { text: "", mistakes: [] };
    default: {
      if (isSet) return { text: value, mistakes: [] };
      const message = interpolate(rest, env, depth + 1);
      const detail = message.text === "" ? "the file requires it" : message.text;
      return { text: "", mistakes: [{ kind: "required", variable: name, detail }] };
    }
  }
}

function plain(name: string, env: Environment): Interpolated {
  const value = lookUp(env, name);
  if (value !== undefined) return { text: value, mistakes: [] };
  return { text: "", mistakes: [{ kind: "blank", variable: name }] };
}

function lookUp(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

function malformed(text: string, detail: string): Interpolated {
  return { text, mistakes: [{ kind: "malformed", detail }] };
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
