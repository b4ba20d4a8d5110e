/** Variables put into every value of a tree; keys stay as they are, as in Compose. */

import type { Problem } from "../../model/problem.ts";
import { type Environment, interpolate, type Mistake } from "./interpolation.ts";
import type { Entry, Place, Tree } from "./tree.ts";

export type Filled = { readonly tree: Tree; readonly problems: readonly Problem[] };

export function fillVariables(tree: Tree, env: Environment): Filled {
  const problems: Problem[] = [];
  return { tree: fill(tree, "", env, problems), problems };
}

function fill(tree: Tree, path: string, env: Environment, problems: Problem[]): Tree {
  switch (tree.kind) {
    case "scalar": {
      const { text, mistakes } = interpolate(tree.text, env);
      for (const mistake of mistakes) problems.push(toProblem(mistake, path, tree.at));
      return text === tree.text ? tree : { ...tree, text };
    }
    case "list": {
      const items = tree.items.map((item, index) => fill(item, `${path}[${index}]`, env, problems));
      return { ...tree, items };
    }
    case "map": {
      const entries = new Map<string, Entry>();
      for (const [key, { at, value }] of tree.entries) {
        const inner = path === "" ? key : `${path}.${key}`;
        entries.set(key, { at, value: fill(value, inner, env, problems) });
      }
      return { ...tree, entries };
    }
  }
}

/** Also used for env files, whose values know variables too. */
export function toProblem(mistake: Mistake, path: string, { file, line }: Place): Problem {
  switch (mistake.kind) {
    case "blank": {
      const detail = `variable ${mistake.variable} is not set: blank is used`;
      return { code: "value-assumed", file, line, path, detail };
    }
    case "required": {
      const { variable, detail } = mistake;
      return { code: "variable-unset", file, line, variable, detail };
    }
    case "malformed":
      return { code: "value-invalid", file, line, path, detail: mistake.detail };
  }
}
