/**
 * What a command is: its words, its help, and its work. cli/program.ts makes commander's tree of
 * them, and completion and tests read the same data.
 */

import { type Options, slip } from "./options.ts";
import { type Column, printTable } from "./table.ts";
import { ask, type ExitCode, type Work } from "./work.ts";

export type Command = {
  readonly name: string;
  /** Arguments as help shows them: "SERVICE", "[STACK]", "SERVICE=REPLICAS...". */
  readonly usage: string;
  readonly summary: string;
  /** What else a person has to know before, in its help. */
  readonly more?: string;
  readonly options: readonly (readonly [flags: string, description: string])[];
  /** At least one, whole lines that begin with "shoal". */
  readonly examples: readonly string[];
  /**
   * It talks to no mesh, or to this machine's agent only: `--peer` would promise something else.
   */
  readonly isLocal?: true;
  readonly run: (input: Input) => Work<ExitCode>;
};

/** Commands under one word, such as "service ls". */
export type CommandGroup = {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
};

export type Input = {
  readonly words: readonly string[];
  readonly options: Options;
};

/** The word at that place; the command ends with exit code 2 when it is missing. */
export function word(input: Input, index: number, name: string): string {
  const found = input.words[index];
  if (found === undefined || found === "") throw slip(name, "is missing");
  return found;
}

/** What it shows: JSON for programs, text for people. JSON is stable. */
export function* show(input: Input, data: unknown, text: () => string): Work<void> {
  const format = input.options.choice("format", ["table", "json"]) ?? "table";
  const shown = format === "json" ? JSON.stringify(data, undefined, 2) : text();
  if (shown !== "") yield* ask(({ terminal }) => terminal.print(shown));
}

/** A table as wide as the terminal, or an array of the rows. */
export function* showTable<Row>(
  input: Input,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): Work<void> {
  const width = yield* ask(({ terminal }) => terminal.columns);
  yield* show(input, rows, () => printTable(columns, rows, width));
}

export function* print(text: string): Work<void> {
  yield* ask(({ terminal }) => terminal.print(text));
}

export function* note(text: string): Work<void> {
  yield* ask(({ terminal }) => terminal.note(text));
}

/** Asks before something is lost; `--yes` answers. */
export function* confirmed(input: Input, question: string): Work<boolean> {
  if (input.options.flag("yes")) return true;
  const answer = yield* ask(({ terminal }) => terminal.confirm(question));
  if (!answer) yield* note("nothing was changed (--yes answers the question beforehand)");
  return answer;
}
