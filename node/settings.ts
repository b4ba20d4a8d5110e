/**
 * The agent's command line: what `shoal up` and `shoal join` tell it. Not for people to type; they
 * have the command. All mistakes at once.
 */

import { parseArgs } from "node:util";
import type { EngineKind } from "../model/documents.ts";
import type { Problem } from "../model/problem.ts";

export type Settings = {
  /** Absolute: where the agent keeps its things. */
  readonly data: string;
  readonly socket: string;
  /** Multiaddrs. */
  readonly listen: readonly string[];
  /** For people; the host's when undefined. */
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: whatever there is. */
  readonly engines: readonly EngineKind[] | undefined;
  /** "address:port". */
  readonly dns: readonly string[];
  /** How a node without a mesh gets one. */
  readonly entry: Entry;
};

export type Entry = Readonly<
  | { kind: "resume" }
  | { kind: "found"; name: string; admins: readonly string[] }
  /** The invite comes on standard input: it must not stand in the list of processes. */
  | { kind: "join" }
  /** The restoration comes on standard input: secrets stand in it. */
  | { kind: "restore" }
>;

/** Off the beaten 53, which a host's own resolver often holds. */
const dnsDefault = "127.0.0.1:7953";
const listenDefault = "/ip4/0.0.0.0/tcp/7946";

const options = {
  data: { type: "string" },
  socket: { type: "string" },
  listen: { type: "string", multiple: true },
  name: { type: "string" },
  label: { type: "string", multiple: true },
  engine: { type: "string", multiple: true },
  dns: { type: "string", multiple: true },
  "genesis-name": { type: "string" },
  admin: { type: "string", multiple: true },
  join: { type: "boolean" },
  restore: { type: "boolean" },
} as const;

export function parseSettings(args: readonly string[]): Settings | readonly Problem[] {
  let values: ReturnType<typeof read>;
  try {
    values = read(args);
  } catch (error) {
    return [slip("agent", error instanceof Error ? error.message : String(error))];
  }
  const problems: Problem[] = [];
  const { data, socket } = values;
  if (data === undefined || !data.startsWith("/")) {
    problems.push(slip("--data", "an absolute path is needed"));
  }
  const labels = readLabels(values.label ?? [], problems);
  const engines = readEngines(values.engine, problems);
  const dns = values.dns ?? [dnsDefault];
  for (const address of dns) {
    if (!/^.+:\d{1,5}$/.test(address))
      problems.push(slip("--dns", `${address} is no ADDRESS:PORT`));
  }
  if (problems.length > 0 || data === undefined) return problems;
  return {
    data,
    socket: socket ?? `${data}/shoal.sock`,
    listen: values.listen ?? [listenDefault],
    name: values.name,
    labels,
    engines,
    dns,
    entry: entryOf(values),
  };
}

function read(args: readonly string[]) {
  return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
}

function entryOf(values: ReturnType<typeof read>): Entry {
  if (values.join === true) return { kind: "join" };
  if (values.restore === true) return { kind: "restore" };
  const name = values["genesis-name"];
  if (name === undefined) return { kind: "resume" };
  return { kind: "found", name, admins: values.admin ?? [] };
}

function readLabels(words: readonly string[], problems: Problem[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const word of words) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
    if (name === undefined || value === undefined) {
      problems.push(slip("--label", `${word} is no NAME=VALUE`));
    } else labels[name] = value;
  }
  return labels;
}

function readEngines(
  words: readonly string[] | undefined,
  problems: Problem[],
): EngineKind[] | undefined {
  const engines: EngineKind[] = [];
  for (const word of words ?? []) {
    if (word === "docker" || word === "process") engines.push(word);
    else problems.push(slip("--engine", `${word} is neither docker nor process`));
  }
  return words === undefined ? undefined : engines;
}

function slip(argument: string, detail: string): Problem {
  return { code: "argument-invalid", argument, detail };
}
