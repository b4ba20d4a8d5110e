/**
 * The tree of commands for commander: names, help, options. What a command does is in
 * cli/commands/; who performs it is cli/main.ts. Begin reading at `makeProgram`.
 */

import { Option, Command as Verb } from "commander";
import type { Command, CommandGroup, Input } from "./command.ts";
import { agentCommands } from "./commands/agents.ts";
import { backupCommands } from "./commands/backups.ts";
import { changeCommands } from "./commands/changes.ts";
import { deployCommands } from "./commands/deploy.ts";
import { nodeCommands } from "./commands/nodes.ts";
import { contextCommands, inviteCommand } from "./commands/people.ts";
import { personCommands } from "./commands/persons.ts";
import { serviceCommands } from "./commands/services.ts";
import { stackCommands } from "./commands/stacks.ts";
import { watchingCommands } from "./commands/watching.ts";
import { completionCommand, type Tree } from "./completion.ts";
import { Options, type RawOptions } from "./options.ts";

export const groups: readonly CommandGroup[] = [
  {
    name: "service",
    summary: "Services: what the mesh keeps running",
    commands: [...serviceCommands, ...changeCommands],
  },
  { name: "stack", summary: "Stacks: services deployed together", commands: stackCommands },
  { name: "node", summary: "Nodes: the hosts of the mesh", commands: nodeCommands },
  { name: "person", summary: "People: who may talk to the mesh", commands: personCommands },
  { name: "context", summary: "Contexts: the meshes you know", commands: contextCommands },
];

export const commands: readonly Command[] = [
  ...agentCommands,
  inviteCommand,
  ...deployCommands,
  ...watchingCommands,
  ...backupCommands,
  completionCommand((): Tree => ({ commands, groups })),
];

/** What the person said about the connection, on any command. */
export type Target = { readonly context: string | undefined; readonly peers: readonly string[] };

export type Perform = (command: Command, input: Input, target: Target) => void;

export function makeProgram(perform: Perform): Verb {
  const program = new Verb("shoal")
    .description("Runs containers on a mesh of hosts that has no masters.")
    .enablePositionalOptions()
    .showHelpAfterError("(--help shows how)");
  for (const command of commands) program.addCommand(makeVerb(command, perform));
  for (const { name, summary, commands: members } of groups) {
    const group = new Verb(name).description(summary).enablePositionalOptions();
    for (const command of members) group.addCommand(makeVerb(command, perform));
    program.addCommand(group);
  }
  return inherit(program, program);
}

/** Subcommands added whole do not take over how errors and output are handled. */
function inherit(verb: Verb, from: Verb): Verb {
  for (const child of verb.commands) inherit(child.copyInheritedSettings(from), from);
  return verb;
}

function makeVerb(command: Command, perform: Perform): Verb {
  const { name, summary, more } = command;
  const verb = new Verb(name).summary(summary);
  verb.description(more === undefined ? summary : `${summary}\n\n${more}`);
  for (const part of command.usage.split(" ").filter((one) => one !== "")) {
    verb.argument(toArgument(part));
  }
  for (const [flags, description] of command.options) verb.addOption(toOption(flags, description));
  if (command.isLocal !== true) for (const option of reaching()) verb.addOption(option);
  verb.addOption(toOption("--format FORMAT", "of what it prints").choices(["table", "json"]));
  if (command.usage.includes("COMMAND...") || command.usage.includes("[ARGS...]")) {
    verb.passThroughOptions();
  }
  const examples = command.examples.map((line) => `  ${line}`).join("\n");
  verb.addHelpText("after", `\nExamples:\n${examples}`);
  verb.usage(`[options]${command.usage === "" ? "" : ` ${command.usage}`}`.trim());
  return verb.action((...given: unknown[]) => {
    const words = given
      .slice(0, -2)
      .flatMap((one) => one ?? [])
      .map(String);
    const raw = given.at(-2) as RawOptions;
    const options = new Options(raw);
    const target = { context: options.text("context"), peers: options.list("peer") };
    perform(command, { words, options }, target);
  });
}

function reaching(): Option[] {
  return [
    toOption("--context NAME", "talk to this mesh instead of the one in use"),
    toOption("--peer MULTIADDR...", "talk to this peer; further ones are fallbacks"),
  ];
}

/** "[STACK]" is optional, "SERVICE..." takes several; commander wants brackets around each. */
function toArgument(part: string): string {
  if (part.startsWith("[")) return part.replace("|", "-or-");
  return `<${part}>`;
}

/** "--env-add NAME=VALUE...": repeatable, one value each time. */
function toOption(flags: string, description: string): Option {
  const [names = "", value] = splitValue(flags);
  if (value === undefined) return new Option(names, description);
  if (!value.endsWith("...")) return new Option(`${names} <${value}>`, description);
  const option = new Option(`${names} <${value.slice(0, -3)}>`, `${description} (repeatable)`);
  return option.argParser((text: string, before: string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);
}

function splitValue(flags: string): [names: string, value: string | undefined] {
  const match = /^(.*?) ([A-Z][A-Z=:-]*(?:\.\.\.)?)$/.exec(flags);
  return match === null ? [flags, undefined] : [match[1] ?? "", match[2]];
}
