/** `shoal service ls|ps|inspect|history|logs|rm`: looking at services, and removing them. */

import type { RevisionView } from "../../model/view.ts";
import { shorten } from "../amounts.ts";
import { printInstant } from "../calendar.ts";
import { type Command, confirmed, type Input, print, show, showTable, word } from "../command.ts";
import { findService } from "../names.ts";
import { slip } from "../options.ts";
import { awaitConvergence } from "../progress.ts";
import { serviceColumns, showImage, taskColumns } from "../rows.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import { toRemovals, write } from "../writing.ts";
import { waitOptions, waitTime } from "./waiting.ts";

function* list(input: Input): Work<ExitCode> {
  const { services } = yield* ask((world) => world.mesh.view());
  yield* showTable(input, services, serviceColumns);
  return 0;
}

function* tasks(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const nowMs = yield* ask((world) => world.nowMs());
  const { service } = findService(view, word(input, 0, "SERVICE"));
  const rows = view.tasks.filter((task) => task.service === service);
  const shown = input.options.flag("all")
    ? rows
    : rows.filter((row) => row.standing !== "superseded");
  yield* showTable(input, shown, taskColumns(nowMs));
  return 0;
}

function* inspect(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  if (input.words.length === 0) throw slip("SERVICE", "is missing");
  const services = input.words.map((name) => findService(view, name));
  yield* print(JSON.stringify(services, undefined, 2));
  return 0;
}

function* history(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const service = findService(view, word(input, 0, "SERVICE"));
  yield* showTable<RevisionView>(input, service.history, [
    ["REVISION", ({ revision }) => revision.slice(0, 12)],
    ["STATUS", ({ status }) => status],
    ["GENERATION", ({ generation }) => String(generation)],
    ["WRITTEN", ({ writtenAtMs }) => printInstant(writtenAtMs)],
    ["BY", ({ writer }) => shorten(writer)],
    ["IMAGE", ({ spec }) => (spec === undefined ? "" : showImage(spec))],
  ]);
  return 0;
}

function* remove(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  if (input.words.length === 0) throw slip("SERVICE", "is missing");
  const names = input.words.map((name) => findService(view, name).service);
  if (!(yield* confirmed(input, `remove ${names.join(", ")}?`))) return 1;
  yield* write(names.flatMap(toRemovals));
  yield* show(input, names, () => names.join("\n"));
  const stillMs = waitTime(input);
  return stillMs === undefined ? 0 : yield* awaitConvergence(names, stillMs);
}

export const serviceCommands: readonly Command[] = [
  {
    name: "ls",
    usage: "",
    summary: "List services",
    options: [],
    examples: ["shoal service ls", "shoal service ls --format json"],
    run: list,
  },
  {
    name: "ps",
    usage: "SERVICE",
    summary: "List the tasks of a service",
    options: [["-a, --all", "also tasks that were replaced"]],
    examples: ["shoal service ps hello/web", "shoal service ps web --all"],
    run: tasks,
  },
  {
    name: "inspect",
    usage: "SERVICE...",
    summary: "Show services as JSON, specs and history included",
    options: [],
    examples: ["shoal service inspect hello/web"],
    run: inspect,
  },
  {
    name: "history",
    usage: "SERVICE",
    summary: "List the revisions of a service, conflicts included",
    options: [],
    examples: ["shoal service history hello/web"],
    run: history,
  },
  {
    name: "rm",
    usage: "SERVICE...",
    summary: "Remove services and stop their tasks",
    options: [["-y, --yes", "do not ask"], ...waitOptions],
    examples: ["shoal service rm hello/web --yes"],
    run: remove,
  },
];
