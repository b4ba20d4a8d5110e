/** Compiles Compose text as tests write it, and shows problems as short lines. */

import { type Compiled, compile } from "../../../cli/compose/compile.ts";
import type { ComposeSource } from "../../../cli/compose/source.ts";
import { isWarning, type Problem } from "../../../model/problem.ts";
import type { ServiceSpec } from "../../../model/spec.ts";

type Options = Partial<Omit<ComposeSource, "files" | "readText">> & {
  /** Files beside the first one, by absolute path. */
  readonly disk?: Readonly<Record<string, string>>;
};

export function compileText(texts: string | readonly string[], options: Options = {}): Compiled {
  const list = typeof texts === "string" ? [texts] : texts;
  const files = list.map((text, index) => {
    return { path: index === 0 ? "compose.yaml" : `compose.${index}.yaml`, text };
  });
  const { disk = {}, ...rest } = options;
  const readText = (path: string): string | undefined => disk[path];
  return compile({ files, directory: "/srv/shop", env: {}, readText, ...rest });
}

/** The spec of one service; fails when something is more than a warning. */
export function specOf(text: string, name = "web", options: Options = {}): ServiceSpec {
  const { documents, problems } = compileText(text, options);
  const errors = problems.filter((problem) => !isWarning(problem));
  if (errors.length > 0) throw new Error(errors.map(show).join("\n"));
  for (const document of documents) {
    if (document.kind === "service" && document.spec.service.endsWith(`/${name}`)) {
      return document.spec;
    }
  }
  throw new Error(`no service ${name}`);
}

/** "7 key-unknown services.web.imge": line, code, path. */
export function show(problem: Problem): string {
  const line = "line" in problem ? `${problem.line} ` : "";
  const path = "path" in problem ? ` ${problem.path}` : "";
  return `${line}${problem.code}${path}`;
}
