/**
 * Compose files in, spec documents out, and every mistake at once with its file and line.
 *
 * The way of a file: text → tree with lines (tree.ts) → variables filled in (fill.ts) → merged
 * with the files before it (merge.ts) → held against the table of keys (key-check.ts) → read key
 * by key (service.ts). Pure: files beside the given ones are read through the source.
 *
 * Source: Compose specification (compose-spec/compose-spec, 2025). docs/compose.md lists every key.
 */

import type { SpecDocument } from "../../model/documents.ts";
import { isName } from "../../model/ids.ts";
import { isWarning, type Problem } from "../../model/problem.ts";
import { resolveExtends } from "./extends.ts";
import { Field } from "./field.ts";
import { fillVariables } from "./fill.ts";
import { checkKeys } from "./key-check.ts";
import { dropReset, mergeTrees } from "./merge.ts";
import { checkTopNetworks } from "./neighbours.ts";
import { type ReadService, readService } from "./service.ts";
import { type ComposeSource, contextOf } from "./source.ts";
import { type Entry, type MapTree, parseTree, type Tree } from "./tree.ts";

export type Compiled = {
  readonly stack: string;
  /** Empty as soon as one problem is more than a warning. */
  readonly documents: readonly SpecDocument[];
  /** By file and line. */
  readonly problems: readonly Problem[];
};

export function compile(source: ComposeSource): Compiled {
  const problems: Problem[] = [];
  const merged = mergeFiles(source, problems);
  if (merged === undefined) return { stack: source.stack ?? "", documents: [], problems };
  const profiled = keepProfiles(merged, source.profiles ?? [], problems);
  problems.push(...checkKeys(profiled));
  const place = { file: source.files[0]?.path ?? "", line: 0 };
  const root = new Field(profiled, "", place, problems);
  const stack = readStack(root, source);
  checkTopNetworks(root.get("networks"));
  const services = readServices(root, contextOf(source, stack));
  checkPublished(root, services);
  const sorted = inOrder(problems, source);
  const isWhole = sorted.every(isWarning);
  return { stack, documents: isWhole ? services.flatMap(toDocuments) : [], problems: sorted };
}

function mergeFiles({ files, env }: ComposeSource, problems: Problem[]): MapTree | undefined {
  const trees: Tree[] = [];
  for (const { path, text } of files) {
    const parsed = parseTree(path, text);
    problems.push(...parsed.problems);
    if (parsed.tree === undefined) continue;
    const filled = fillVariables(parsed.tree, env);
    problems.push(...filled.problems);
    trees.push(filled.tree);
  }
  if (trees.length < files.length) return undefined;
  const merged =
    trees.length === 0 ? undefined : trees.reduce((base, over) => mergeTrees(base, over));
  if (merged?.kind === "map") return dropReset(merged) as MapTree;
  const file = files[0]?.path ?? "";
  const detail = "a Compose file is a map with `services`";
  problems.push({ code: "yaml-malformed", file, line: merged?.at.line ?? 0, detail });
  return undefined;
}

/** Services of profiles that are not named are left out, unless they have none. */
function keepProfiles(root: MapTree, profiles: readonly string[], problems: Problem[]): MapTree {
  const entry = root.entries.get("services");
  if (entry === undefined) return root;
  const services = resolveExtends(entry.value, problems);
  if (services.kind !== "map") return root;
  const isKept = ({ value }: Entry): boolean => {
    const field = value.kind === "map" ? value.entries.get("profiles")?.value : undefined;
    if (field?.kind !== "list" || field.items.length === 0) return true;
    const names = field.items.map((item) => (item.kind === "scalar" ? item.text : ""));
    return profiles.includes("*") || names.some((name) => profiles.includes(name));
  };
  const entries = new Map([...services.entries].filter(([, service]) => isKept(service)));
  const kept = { at: entry.at, value: { ...services, entries } };
  return { ...root, entries: new Map([...root.entries, ["services", kept]]) };
}

/** The command's word, else the file's, else the directory's name made fit for DNS. */
function readStack(root: Field, { stack, directory }: ComposeSource): string {
  const name = root.get("name");
  const given = stack ?? name.word();
  if (given !== undefined) {
    if (isName(given)) return given;
    const detail = `"${given}" is no DNS label (a-z, 0-9, "-")`;
    if (stack === undefined) name.invalid(detail);
    else root.report({ code: "argument-invalid", argument: "STACK", detail });
    return given;
  }
  const base = directory.split("/").at(-1) ?? "";
  const fit = base.toLowerCase().replace(/[^a-z0-9-]+/g, "-");
  const trimmed = fit.slice(0, 63).replace(/^-+|-+$/g, "");
  return trimmed === "" ? "default" : trimmed;
}

function readServices(root: Field, context: ReturnType<typeof contextOf>): ReadService[] {
  const services = root.get("services");
  if (!services.isPresent) services.invalid("there are none");
  const volumes = root.get("volumes");
  return services.entries().flatMap(([name, service]) => {
    if (service.tree?.kind === "map") return readService(name, service, volumes, context) ?? [];
    if (!service.isPresent) service.invalid("needs an image");
    return [];
  });
}

/** Two services of one file on one published port: the second would never get it. */
function checkPublished(root: Field, services: readonly ReadService[]): void {
  const holders = new Map<string, string>();
  for (const { spec } of services) {
    const name = spec.service.slice(spec.service.indexOf("/") + 1);
    for (const { published, protocol } of spec.ports) {
      const port = `${published}/${protocol}`;
      const holder = holders.get(port);
      holders.set(port, holder ?? name);
      if (holder === undefined) continue;
      const field = root.get("services").get(name).get("ports");
      field.invalid(`${port} is published by ${holder === name ? "itself twice" : holder} already`);
    }
  }
}

function toDocuments({ spec, replicas }: ReadService): SpecDocument[] {
  const document: SpecDocument = { kind: "service", spec };
  if (replicas === undefined) return [document];
  return [document, { kind: "scale", service: spec.service, replicas }];
}

/** By file as given, then by line; the same words at the same place only once. */
function inOrder(problems: readonly Problem[], { files }: ComposeSource): Problem[] {
  const rank = new Map(files.map(({ path }, index) => [path, index]));
  const placed = problems.map((problem) => {
    const file = "file" in problem ? problem.file : "";
    const line = "line" in problem ? problem.line : 0;
    return { problem, rank: rank.get(file) ?? files.length, line };
  });
  placed.sort((left, right) => left.rank - right.rank || left.line - right.line);
  const unique = new Map(placed.map(({ problem }) => [JSON.stringify(problem), problem]));
  return [...unique.values()];
}
