/** `shoal service create|scale|update|rollback`: changing what should run. */

import type { SpecDocument } from "../../model/documents.ts";
import { isName, serviceId } from "../../model/ids.ts";
import { OperationError } from "../../model/problem.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type { RevisionView, ServiceView } from "../../model/view.ts";
import { type Command, type Input, note, show, word } from "../command.ts";
import { compile } from "../compose/compile.ts";
import { findService } from "../names.ts";
import { slip } from "../options.ts";
import { awaitConvergence } from "../progress.ts";
import { changeOptions, changeSpec } from "../spec-change.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import { toChange, write } from "../writing.ts";
import { waitOptions, waitTime } from "./waiting.ts";

/** As model/parse.ts bounds it. */
const replicasMax = 100_000;

function* create(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const name = input.options.text("name");
  if (name === undefined || !isName(name)) {
    throw slip("--name", 'expected a name in DNS, such as "web"');
  }
  const service = serviceId("default", name);
  if (view.services.some((one) => one.service === service)) {
    throw slip("--name", `${service} is there already: use \`shoal service update\``);
  }
  const spec = changeSpec(
    plainSpec(name, word(input, 0, "IMAGE"), input.words.slice(1)),
    input.options,
  );
  const replicas = readReplicas(input.options.text("replicas") ?? "1");
  const documents: SpecDocument[] = [
    { kind: "service", spec },
    { kind: "scale", service, replicas },
  ];
  return yield* apply(input, documents, [service]);
}

/** The defaults are those of a Compose file that names an image and nothing else. */
function plainSpec(name: string, image: string, command: readonly string[]): ServiceSpec {
  const text = JSON.stringify({ services: { [name]: { image: image.replaceAll("$", "$$$$") } } });
  const files = [{ path: "", text }];
  const source = { files, directory: "/", env: {}, readText: () => undefined, stack: "default" };
  const { documents, problems } = compile(source);
  const [document] = documents;
  if (document?.kind !== "service") throw new OperationError(problems);
  const { stack: _, workload, ...spec } = document.spec;
  return { ...spec, workload: command.length === 0 ? workload : { ...workload, command } };
}

function* scale(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  if (input.words.length === 0) throw slip("SERVICE=REPLICAS", "is missing");
  const documents = input.words.map((text): SpecDocument & { kind: "scale" } => {
    const equals = text.indexOf("=");
    if (equals < 0) throw slip(text, "expected SERVICE=REPLICAS, such as web=6");
    const { service, spec } = findService(view, text.slice(0, equals));
    if (spec.mode === "global") throw slip(text, "a global service runs once on every node");
    return { kind: "scale", service, replicas: readReplicas(text.slice(equals + 1)) };
  });
  return yield* apply(
    input,
    documents,
    documents.map(({ service }) => service),
  );
}

function readReplicas(text: string): number {
  const replicas = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (replicas <= replicasMax) return replicas;
  throw slip("REPLICAS", `expected a whole number, 0 to ${replicasMax}, found "${text}"`);
}

function* update(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const service = findService(view, word(input, 0, "SERVICE"));
  const { options } = input;
  if (options.flag("pause") && options.flag("resume")) {
    throw slip("--pause", "contradicts --resume");
  }
  const spec = changeSpec(service.spec, options);
  const replicas = options.text("replicas");
  const documents: SpecDocument[] = [];
  const pauses = options.flag("pause") || options.flag("resume");
  const isChanged = JSON.stringify(spec) !== JSON.stringify(service.spec);
  if (isChanged || pauses) {
    documents.push({ kind: "service", spec, ...(options.flag("pause") ? { pause: true } : {}) });
  }
  if (replicas !== undefined) {
    if (spec.mode === "global")
      throw slip("--replicas", "a global service runs once on every node");
    const wanted = readReplicas(replicas);
    documents.push({ kind: "scale", service: service.service, replicas: wanted });
  }
  if (documents.length === 0) yield* note("nothing to change");
  const waits = options.flag("pause") ? [] : [service.service];
  return documents.length === 0 ? 0 : yield* apply(input, documents, waits);
}

function* rollback(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const service = findService(view, word(input, 0, "SERVICE"));
  const revision = chooseRevision(service, input.options.text("to"));
  const { spec } = revision;
  if (spec === undefined) throw unknownRevision(service, revision.revision);
  yield* note(`rolling ${service.service} back to revision ${revision.revision.slice(0, 12)}`);
  return yield* apply(input, [{ kind: "service", spec }], [service.service]);
}

/** The newest revision that says something else than the current one, or the one named. */
function chooseRevision(service: ServiceView, named: string | undefined): RevisionView {
  const current = JSON.stringify(service.spec);
  const found = service.history.find(({ revision, spec, status }) => {
    if (named !== undefined) return revision.startsWith(named) && named !== "";
    return status === "past" && spec !== undefined && JSON.stringify(spec) !== current;
  });
  if (found === undefined) throw unknownRevision(service, named ?? "before this one");
  return found;
}

function unknownRevision({ service }: ServiceView, revision: string): OperationError {
  return new OperationError({ code: "revision-unknown", service, revision });
}

function* apply(
  input: Input,
  documents: readonly SpecDocument[],
  services: readonly string[],
): Work<ExitCode> {
  const written = yield* write(documents.map(toChange));
  yield* show(input, written, () => "");
  const stillMs = waitTime(input);
  if (stillMs === undefined || services.length === 0) return 0;
  return yield* awaitConvergence(services, stillMs);
}

export const changeCommands: readonly Command[] = [
  {
    name: "create",
    usage: "IMAGE [ARGS...]",
    summary: "Run a service without a Compose file, in the namespace default",
    options: [
      ["--name NAME", "its name in DNS"],
      ["--replicas COUNT", "how many; 1 unless given"],
      ...changeOptions.filter(([flags]) => !/-rm |--image|--force|--args/.test(flags)),
      ...waitOptions,
    ],
    examples: ["shoal service create --name web --replicas 3 --publish-add 8080:80 nginx"],
    run: create,
  },
  {
    name: "scale",
    usage: "SERVICE=REPLICAS...",
    summary: "Say how many replicas there should be",
    options: waitOptions,
    examples: ["shoal service scale hello/web=6", "shoal service scale web=3 api=2 --detach"],
    run: scale,
  },
  {
    name: "update",
    usage: "SERVICE",
    summary: "Change a service and roll the change out",
    options: [
      ...changeOptions,
      ["--replicas COUNT", "how many"],
      ["--pause", "stop replacing replicas"],
      ["--resume", "go on replacing replicas"],
      ...waitOptions,
    ],
    examples: [
      "shoal service update hello/web --image hello:2",
      "shoal service update web --env-add LEVEL=debug --update-parallelism 2",
      "shoal service update web --pause",
    ],
    run: update,
  },
  {
    name: "rollback",
    usage: "SERVICE",
    summary: "Write the revision before the current one anew",
    options: [["--to REVISION", "that one instead; see `shoal service history`"], ...waitOptions],
    examples: ["shoal service rollback hello/web", "shoal service rollback web --to 3f9a1c"],
    run: rollback,
  },
];
