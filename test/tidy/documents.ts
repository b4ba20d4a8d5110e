/** What documents name: files, npm scripts, and commands of `shoal` with their options. */

import type { Command, CommandGroup } from "../../cli/command.ts";

/** Options that every command has. */
const common = new Set(["--help", "--context", "--peer", "--format"]);

/** Relative links, and names of files in backquotes that start with one of our folders. */
export function deadLinks(path: string, text: string, files: ReadonlySet<string>): string[] {
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
  const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, to]) =>
    new URL(to as string, `file:///${folder}`).pathname.slice(1),
  );
  const ours = [...new Set([...files].map((file) => file.split("/")[0]))].join("|");
  const quoted = [...text.matchAll(new RegExp(`\`((?:${ours})/[\\w./-]+\\.\\w+)\``, "g"))].map(
    ([, name]) => name as string,
  );
  const isThere = (name: string) =>
    files.has(name) || [...files].some((file) => file.startsWith(name.replace(/\/?$/, "/")));
  return [...links, ...quoted].filter((name) => !isThere(name));
}

/** `npm run x` and the words npm itself knows. */
export function unknownScripts(text: string, scripts: readonly string[]): string[] {
  const known = [...scripts, "ci", "install"];
  return [...text.matchAll(/\bnpm (?:run )?([a-z]+)\b/g)]
    .map(([, script]) => script as string)
    .filter((script) => !known.includes(script))
    .map((script) => `npm ${script}`);
}

/** Commands are what stands after `shoal` at the start of a backquote or of a line of a block. */
export function unknownCommands(
  text: string,
  commands: readonly Command[],
  groups: readonly CommandGroup[],
): string[] {
  return [...text.matchAll(/(?:`|^(?: {0,4}|.*-c "(?:sudo )?))shoal ([a-z][^`#"\\\n]*)/gm)].flatMap(
    ([, line]) => {
      const words = (line as string).trim().split(/\s+/);
      const group = groups.find(({ name }) => name === words[0]);
      const name = group === undefined ? words[0] : words[1];
      // `shoal service` alone speaks of the whole group.
      if (group !== undefined && (name === undefined || /^[….]/.test(name))) return [];
      const command = (group?.commands ?? commands).find((one) => one.name === name);
      if (command === undefined) return [`shoal ${line}`];
      const flags = new Set(command.options.flatMap(([option]) => option.match(/--?[a-z-]+/g)));
      return words
        .filter((word) => /^--?[a-z]/.test(word) && !flags.has(word) && !common.has(word))
        .map((word) => `shoal ${line}: ${word}`);
    },
  );
}
