/** `shoal deploy` and `shoal plan`: Compose files to specs, and what would change. */

import { posix } from "node:path";
import type { SpecDocument } from "../../model/documents.ts";
import { keyOf } from "../../model/parse.ts";
import type { Plan, PlanStep } from "../../model/plan.ts";
import { isWarning, OperationError } from "../../model/problem.ts";
import type { MeshView } from "../../model/view.ts";
import { type Command, confirmed, type Input, note, print, show } from "../command.ts";
import { type Compiled, compile } from "../compose/compile.ts";
import { parseEnvFile } from "../compose/env-file.ts";
import { printPlan } from "../plan-text.ts";
import { awaitConvergence } from "../progress.ts";
import { groupWarnings } from "../warnings.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import { type Change, toChange, toRemovals, write } from "../writing.ts";
import { waitOptions, waitTime } from "./waiting.ts";

/** Compose's own order of preference. */
const fileNames = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

type Intent = {
  readonly compiled: Compiled;
  readonly plan: Plan;
  /** Services of the stack that the files no longer have. */
  readonly missing: readonly string[];
};

function* deploy(input: Input): Work<ExitCode> {
  const { compiled, plan, missing } = yield* prepare(input);
  const prunes = input.options.flag("prune");
  if (missing.length > 0 && !prunes) {
    yield* note(`not in the files, left running: ${missing.join(", ")} (--prune removes them)`);
  }
  const removed = prunes ? missing : [];
  if (removed.length > 0) {
    yield* note(printPlan(plan));
    if (!(yield* confirmed(input, `remove ${removed.join(", ")}?`))) return 1;
  }
  const changes = [...changed(compiled.documents, plan), ...removed.flatMap(toRemovals)];
  const written = yield* write(changes);
  yield* show(input, { stack: compiled.stack, plan, ...written }, () => summary(compiled, plan));
  const stillMs = waitTime(input);
  if (stillMs === undefined) return 0;
  const services = compiled.documents.flatMap((one) =>
    one.kind === "service" ? one.spec.service : [],
  );
  return yield* awaitConvergence([...services, ...removed], stillMs);
}

function* planOnly(input: Input): Work<ExitCode> {
  const { plan } = yield* prepare(input);
  yield* show(input, plan, () => printPlan(plan));
  return 0;
}

function* prepare(input: Input): Work<Intent> {
  const compiled = yield* compileFiles(input);
  const warnings = compiled.problems.filter(isWarning);
  for (const line of groupWarnings(warnings)) yield* note(line);
  const errors = compiled.problems.filter((problem) => !isWarning(problem));
  if (errors.length > 0) throw new OperationError(errors);
  const view = yield* ask((world) => world.mesh.view());
  const missing = missingServices(view, compiled);
  const removals = input.options.flag("prune")
    ? missing.flatMap(toRemovals).map(({ key }) => key)
    : [];
  const plan = yield* ask((world) => world.mesh.plan(compiled.documents, removals));
  return { compiled, plan, missing };
}

function* compileFiles(input: Input): Work<Compiled> {
  const cwd = yield* ask((world) => world.directory);
  const named = input.options.list("file");
  const paths = named.length > 0 ? named : [yield* findFile(cwd)];
  const files: { path: string; text: string }[] = [];
  for (const path of paths) files.push({ path, text: yield* readFile(cwd, path) });
  const [first = ""] = paths;
  const directory = first === "-" ? cwd : posix.dirname(posix.resolve(cwd, first));
  const shell = yield* ask((world) => world.env);
  const dotEnv = yield* ask((world) => world.readText(posix.join(directory, ".env")));
  const env = { ...parseEnvFile(dotEnv ?? "", shell).values, ...shell };
  return yield* ask((world) => {
    const readText = (path: string): string | undefined => world.readText(path);
    const profiles = input.options.list("profile");
    return compile({ files, directory, env, readText, profiles, stack: input.words[0] });
  });
}

function* findFile(directory: string): Work<string> {
  for (const name of fileNames) {
    const text = yield* ask((world) => world.readText(posix.join(directory, name)));
    if (text !== undefined) return name;
  }
  const detail = `none of ${fileNames.join(", ")} is here: name one with -f`;
  throw new OperationError({ code: "file-unreadable", file: directory, detail });
}

function* readFile(directory: string, path: string): Work<string> {
  if (path === "-") return yield* ask(({ terminal }) => terminal.readInput());
  const text = yield* ask((world) => world.readText(posix.resolve(directory, path)));
  if (text !== undefined) return text;
  const detail = "there is no such file, or it may not be read";
  throw new OperationError({ code: "file-unreadable", file: path, detail });
}

function missingServices(view: MeshView, { stack, documents }: Compiled): string[] {
  const kept = new Set(documents.map((one) => (one.kind === "service" ? one.spec.service : "")));
  return view.services
    .filter(({ spec, service }) => spec.stack === stack && !kept.has(service))
    .map(({ service }) => service);
}

/** What the mesh says already is not written again: a revision should mean something. */
function changed(documents: readonly SpecDocument[], plan: Plan): Change[] {
  const same = new Set(plan.steps.filter(isUnchanged).map(({ key }) => key));
  return documents.filter((document) => !same.has(keyOf(document))).map(toChange);
}

function isUnchanged({ action }: PlanStep): boolean {
  return action === "unchanged";
}

function summary({ stack }: Compiled, { steps }: Plan): string {
  const services = steps.filter(({ key }) => key.startsWith("service/"));
  const counts = (["create", "update", "remove", "unchanged"] as const).flatMap((action) => {
    const count = services.filter((step) => step.action === action).length;
    return count === 0 ? [] : `${count} to ${action}`.replace("to unchanged", "unchanged");
  });
  return `stack ${stack}: ${counts.join(", ") || "nothing to do"}`;
}

/** `shoal compose check`, without a mesh: only what the files say. */
function* check(input: Input): Work<ExitCode> {
  const compiled = yield* compileFiles(input);
  const errors = compiled.problems.filter((problem) => !isWarning(problem));
  for (const line of groupWarnings(compiled.problems.filter(isWarning))) yield* note(line);
  if (errors.length > 0) throw new OperationError(errors);
  yield* print(JSON.stringify(compiled.documents, undefined, 2));
  return 0;
}

const fileOptions = [
  ["-f, --file FILE...", "Compose file; - is standard input"],
  ["--profile NAME...", 'include services of this profile; "*" all'],
] as const;

export const deployCommands: readonly Command[] = [
  {
    name: "deploy",
    usage: "[STACK]",
    summary: "Deploy Compose files as a stack",
    options: [
      ...fileOptions,
      ["--prune", "remove services of the stack that the files no longer have"],
      ["-y, --yes", "do not ask before removing"],
      ...waitOptions,
    ],
    examples: [
      "shoal deploy -f compose.yaml",
      "shoal deploy -f compose.yaml -f production.yaml shop --prune",
    ],
    run: deploy,
  },
  {
    name: "plan",
    usage: "[STACK]",
    summary: "Show what `shoal deploy` would change, and where replicas would run",
    options: [...fileOptions, ["--prune", "plan removals as well"]],
    examples: ["shoal plan -f compose.yaml", "shoal plan --prune --format json"],
    run: planOnly,
  },
  {
    name: "compile",
    usage: "[STACK]",
    summary: "Show the specs that Compose files mean, without a mesh",
    options: fileOptions,
    examples: ["shoal compile -f compose.yaml"],
    isLocal: true,
    run: check,
  },
];
