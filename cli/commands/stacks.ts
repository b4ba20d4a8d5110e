/** `shoal stack ls|services|ps|rm`: services that were deployed together. */

import type { MeshView } from "../../model/view.ts";
import { type Command, confirmed, type Input, show, showTable, word } from "../command.ts";
import { servicesOfStack, stacksOf } from "../names.ts";
import { awaitConvergence } from "../progress.ts";
import { serviceColumns, taskColumns } from "../rows.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import { toRemovals, write } from "../writing.ts";
import { waitOptions, waitTime } from "./waiting.ts";

type StackRow = { readonly stack: string; readonly services: number; readonly ready: string };

function* list(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const rows = stacksOf(view).map((stack) => toRow(view, stack));
  yield* showTable<StackRow>(input, rows, [
    ["NAME", ({ stack }) => stack],
    ["SERVICES", ({ services }) => String(services)],
    ["REPLICAS", ({ ready }) => ready],
  ]);
  return 0;
}

function toRow(view: MeshView, stack: string): StackRow {
  const services = servicesOfStack(view, stack);
  const ready = services.reduce((sum, service) => sum + service.ready, 0);
  const replicas = services.reduce((sum, service) => sum + service.replicas, 0);
  return { stack, services: services.length, ready: `${ready}/${replicas}` };
}

function* services(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  yield* showTable(input, servicesOfStack(view, word(input, 0, "STACK")), serviceColumns);
  return 0;
}

function* tasks(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const nowMs = yield* ask((world) => world.nowMs());
  const names = new Set(
    servicesOfStack(view, word(input, 0, "STACK")).map(({ service }) => service),
  );
  const all = input.options.flag("all");
  const rows = view.tasks.filter(({ service, standing }) => {
    return names.has(service) && (all || standing !== "superseded");
  });
  yield* showTable(input, rows, taskColumns(nowMs));
  return 0;
}

function* remove(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const names = [word(input, 0, "STACK"), ...input.words.slice(1)].flatMap((stack) => {
    return servicesOfStack(view, stack).map(({ service }) => service);
  });
  if (!(yield* confirmed(input, `remove ${names.join(", ")}?`))) return 1;
  yield* write(names.flatMap(toRemovals));
  yield* show(input, names, () => names.join("\n"));
  const stillMs = waitTime(input);
  return stillMs === undefined ? 0 : yield* awaitConvergence(names, stillMs);
}

export const stackCommands: readonly Command[] = [
  {
    name: "ls",
    usage: "",
    summary: "List stacks",
    options: [],
    examples: ["shoal stack ls"],
    run: list,
  },
  {
    name: "services",
    usage: "STACK",
    summary: "List the services of a stack",
    options: [],
    examples: ["shoal stack services hello"],
    run: services,
  },
  {
    name: "ps",
    usage: "STACK",
    summary: "List the tasks of a stack",
    options: [["-a, --all", "also tasks that were replaced"]],
    examples: ["shoal stack ps hello"],
    run: tasks,
  },
  {
    name: "rm",
    usage: "STACK...",
    summary: "Remove all services of stacks",
    options: [["-y, --yes", "do not ask"], ...waitOptions],
    examples: ["shoal stack rm hello --yes"],
    run: remove,
  },
];
