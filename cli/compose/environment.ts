/** Environment and labels of a service, from the file and from the files it names. */

import { parseEnvFile } from "./env-file.ts";
import type { Field } from "./field.ts";
import { toProblem } from "./fill.ts";
import type { SourceContext } from "./source.ts";

/** Later files win over earlier ones, `environment` over files. */
export function readEnvironment(service: Field, context: SourceContext): Record<string, string> {
  const env = readEnvFiles(service.get("env_file"), context);
  const field = service.get("environment");
  for (const [name, value] of field.pairs()) {
    // A name alone takes what this shell has, and is left out when it has nothing.
    const found = value ?? context.env[name];
    if (found !== undefined) env[name] = found;
    if (found !== undefined)
      refuseTemplate(field.tree?.kind === "map" ? field.get(name) : field, found);
  }
  return env;
}

/** Swarm fills {{.Node.Hostname}} and the like in; here they would arrive as they stand. */
export function refuseTemplate(field: Field, text: string): void {
  const template = /\{\{\s*\.(?:Service|Node|Task)\.[^}]*\}\}/.exec(text)?.[0];
  if (template === undefined) return;
  field.unsupported(`the template ${template}: SHOAL_NODE and SHOAL_SLOT are in the environment`);
}

function readEnvFiles(field: Field, context: SourceContext): Record<string, string> {
  const items = field.tree?.kind === "list" ? field.items() : field.isPresent ? [field] : [];
  const env: Record<string, string> = {};
  for (const item of items) {
    const isMap = item.tree?.kind === "map";
    const path = (isMap ? item.get("path") : item).word();
    const isRequired = isMap ? (item.get("required").flag() ?? true) : true;
    if (path === undefined) item.invalid("needs a path");
    else Object.assign(env, readOne(item, path, isRequired, context));
  }
  return env;
}

function readOne(
  item: Field,
  path: string,
  isRequired: boolean,
  context: SourceContext,
): Readonly<Record<string, string>> {
  const file = context.resolve(path);
  const text = context.readText(file);
  if (text === undefined) {
    if (isRequired) item.invalid(`cannot read ${file}`);
    return {};
  }
  if (item.get("format").choice(["raw"]) === "raw") return parseRaw(text);
  const { values, mistakes } = parseEnvFile(text, context.env);
  for (const mistake of mistakes) {
    item.report(toProblem(mistake, item.path, { file: path, line: mistake.line }));
  }
  return values;
}

/** NAME=value as it stands: quotes and dollar signs belong to the value. */
function parseRaw(text: string): Record<string, string> {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const equals = line.indexOf("=");
    return line.startsWith("#") || equals < 1
      ? []
      : [[line.slice(0, equals), line.slice(equals + 1)]];
  });
  return Object.fromEntries(pairs);
}

export function readLabels(field: Field): Record<string, string> {
  return Object.fromEntries([...field.pairs()].map(([key, value]) => [key, value ?? ""]));
}

/** `label_file` first, `labels` over it. */
export function readContainerLabels(
  service: Field,
  context: SourceContext,
): Record<string, string> {
  const fromFiles = readEnvFiles(service.get("label_file"), context);
  return { ...fromFiles, ...readLabels(service.get("labels")) };
}
