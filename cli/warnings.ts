/** Warnings for people: the same words about many places become one line. */

import { explain, type Problem } from "../model/problem.ts";

export function groupWarnings(problems: readonly Problem[]): string[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const words = "detail" in problem ? `${problem.code} ${problem.detail}` : explain(problem);
    groups.set(words, [...(groups.get(words) ?? []), problem]);
  }
  return [...groups.values()].map((group) => {
    const [first, ...others] = group;
    const lines = others.flatMap((one) => ("line" in one ? one.line : []));
    const places = [...new Set(lines)].slice(0, 8).join(", ");
    const more =
      others.length === 0 ? "" : ` (also at ${others.length > 1 ? "lines" : "line"} ${places})`;
    return first === undefined ? "" : `warning: ${explain(first)}${more}`;
  });
}
