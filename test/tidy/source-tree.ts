/**
 * The tree as the tidy test sees it: every TypeScript file of ours with its code, its comments
 * told apart from it, and what it imports.
 */

import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** The top of the checkout. */
export const root = join(import.meta.dirname, "../..");

export type Import = {
  /** As written: "./stamp.ts", "node:fs", "libp2p". */
  readonly from: string;
  /** What stands between `import` and `from`; "" for a bare or a dynamic import. */
  readonly names: string;
  /** Only types come in, so nothing is loaded when the program runs. */
  readonly typeOnly: boolean;
};

export type SourceFile = {
  /** From the top of the checkout, with "/". */
  readonly path: string;
  readonly text: string;
  /** What runs: types, comments and the contents of strings replaced by blanks. */
  readonly code: string;
  readonly imports: readonly Import[];
};

/** Folders that are not ours or not source. */
const outside = new Set(["node_modules", ".data", ".git", ".github", ".ci"]);

/** All files below a folder whose names end so, sorted. */
export function listFiles(endings: readonly string[], folder = ""): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !outside.has(entry.name))
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return listFiles(endings, path);
      return endings.some((ending) => path.endsWith(ending)) ? [path] : [];
    })
    .sort();
}

export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export function readSources(): SourceFile[] {
  return listFiles([".ts"]).map((path) => parseSource(path, readText(path)));
}

export function parseSource(path: string, text: string): SourceFile {
  return { path, text, code: withoutWords(stripTypeScriptTypes(text)), imports: importsOf(text) };
}

/**
 * Blanks comments and the inside of strings, keeps lines. A template's `${…}` is blanked with it:
 * our style puts no awaiting and no clock there.
 */
export function withoutWords(text: string): string {
  const words =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replaceAll(words, (word) => word.replaceAll(/[^\n]/g, " "));
}

function importsOf(text: string): Import[] {
  const statement = /^(?:import|export)\s+(type\s+)?(?:([\w*{][^;"]*?)\sfrom\s+)?"([^"]+)"/gm;
  const found = [...text.matchAll(statement)].map(([, type, names, from]) => ({
    from: from as string,
    names: names ?? "",
    typeOnly: type !== undefined,
  }));
  const dynamic = [...text.matchAll(/\bimport\("([^"]+)"\)/g)].map(([, from]) => ({
    from: from as string,
    names: "",
    typeOnly: false,
  }));
  return [...found, ...dynamic];
}
