/** `shoal completion bash|zsh|fish`: scripts printed from the commands there are. */

import type { Command, CommandGroup } from "./command.ts";
import { type Input, print, word } from "./command.ts";
import { slip } from "./options.ts";
import type { ExitCode, Work } from "./work.ts";

export type Tree = {
  readonly commands: readonly Command[];
  readonly groups: readonly CommandGroup[];
};

const everywhere = ["--format", "--help"];
const reaching = ["--context", "--peer"];

export function completionCommand(tree: () => Tree): Command {
  return {
    name: "completion",
    usage: "SHELL",
    summary: "Print a completion script for bash, zsh or fish",
    options: [],
    isLocal: true,
    examples: [
      "shoal completion bash > /etc/bash_completion.d/shoal",
      "shoal completion fish > ~/.config/fish/completions/shoal.fish",
    ],
    run: (input) => complete(input, tree()),
  };
}

function* complete(input: Input, tree: Tree): Work<ExitCode> {
  const shell = word(input, 0, "SHELL");
  const paths = pathsOf(tree);
  if (shell === "bash") yield* print(bash(paths));
  else if (shell === "zsh")
    yield* print(`autoload -U +X bashcompinit && bashcompinit\n${bash(paths)}`);
  else if (shell === "fish") yield* print(fish(tree));
  else throw slip("SHELL", `expected bash, zsh or fish, found "${shell}"`);
  return 0;
}

/** "" and "service" → the words that may follow; "service ls" → its options. */
export function pathsOf({ commands, groups }: Tree): Map<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>();
  paths.set("", [...commands, ...groups].map(({ name }) => name).sort());
  for (const command of commands) paths.set(command.name, optionsOf(command));
  for (const group of groups) {
    paths.set(
      group.name,
      group.commands.map(({ name }) => name),
    );
    for (const command of group.commands) {
      paths.set(`${group.name} ${command.name}`, optionsOf(command));
    }
  }
  return paths;
}

function optionsOf({ options, isLocal }: Command): string[] {
  const long = options.flatMap(([flags]) => /--[a-z-]+/.exec(flags)?.[0] ?? []);
  return [...long, ...(isLocal === true ? [] : reaching), ...everywhere];
}

function bash(paths: ReadonlyMap<string, readonly string[]>): string {
  const cases = (depth: number): string =>
    [...paths]
      .filter(([path]) => path.split(" ").length === depth && path !== "")
      .map(([path, words]) => `    "${path}") words="${words.join(" ")}" ;;`)
      .join("\n");
  return `_shoal() {
  local one="\${COMP_WORDS[1]}" words="${paths.get("")?.join(" ") ?? ""}"
  if [ "$COMP_CWORD" -gt 1 ]; then
    words=""
    case "$one" in
${cases(1)}
    esac
  fi
  if [ "$COMP_CWORD" -gt 2 ]; then
    case "$one \${COMP_WORDS[2]}" in
${cases(2)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _shoal shoal`;
}

function fish({ commands, groups }: Tree): string {
  const lines = [...commands, ...groups].map(({ name, summary }) => {
    return `complete -c shoal -f -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`;
  });
  for (const group of groups) {
    for (const { name, summary } of group.commands) {
      const when = `'__fish_seen_subcommand_from ${group.name}'`;
      lines.push(`complete -c shoal -f -n ${when} -a ${name} -d ${quote(summary)}`);
    }
  }
  return lines.join("\n");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
