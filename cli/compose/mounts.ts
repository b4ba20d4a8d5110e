/**
 * Mounts of a container: `volumes` in short and long form, and `tmpfs`.
 * Source: Compose specification, "volumes" of services and at the top level.
 */

import { posix } from "node:path";
import type { Mount } from "../../model/spec.ts";
import { defined, type Field } from "./field.ts";
import { parseBytes } from "./quantities.ts";

export type MountContext = {
  readonly stack: string;
  /** Absolute: where `./data` begins. */
  readonly directory: string;
  /** Where `~` begins. */
  readonly home: string;
  /** The top-level `volumes`. */
  readonly volumes: Field;
};

export function readMounts(service: Field, context: MountContext): Mount[] {
  const mounts = service.get("volumes").items();
  return [
    ...mounts.flatMap((item) => {
      return item.tree?.kind === "map" ? readLong(item, context) : readShort(item, context);
    }),
    ...readTmpfs(service.get("tmpfs")),
  ];
}

function readShort(item: Field, context: MountContext): Mount[] {
  const text = item.word();
  if (text === undefined) return [];
  const [first = "", second, options = "", ...rest] = text.split(":");
  if (rest.length > 0 || first === "" || second === "") {
    item.invalid(`expected "volume:/path" or "/path:/path:ro", found "${text}"`);
    return [];
  }
  const target = second ?? first;
  const readOnly = readOptions(item, options);
  if (!target.startsWith("/")) {
    item.invalid(`the path in the container, "${target}", must begin with /`);
    return [];
  }
  if (second === undefined) return [{ kind: "volume", target, readOnly }];
  if (/^[./~]/.test(first)) {
    return [{ kind: "bind", source: absolute(first, context), target, readOnly }];
  }
  return namedVolume(item, first, { target, readOnly }, context);
}

const meaningless: readonly string[] = ["rw", "z", "Z", "consistent", "cached", "delegated"];
const propagations: readonly string[] = ["shared", "slave", "rshared", "rslave"];

/** True for read-only. */
function readOptions(item: Field, options: string): boolean {
  for (const option of options.split(",")) {
    if (propagations.includes(option)) {
      item.ignored(`"${option}": mounts made on the host later are not seen`);
    } else if (option === "nocopy") {
      item.ignored(`"nocopy": an empty volume takes the image's files`);
    } else if (option === "z" || option === "Z") {
      item.ignored(`"${option}": files are not relabelled for SELinux`);
    } else if (!["", "ro", "private", "rprivate", ...meaningless].includes(option)) {
      item.invalid(`unknown option "${option}"`);
    }
  }
  return options.split(",").includes("ro");
}

function absolute(path: string, { directory, home }: MountContext): string {
  if (path === "~" || path.startsWith("~/")) return posix.join(home, path.slice(1));
  return path.startsWith("/") ? path : posix.join(directory, path);
}

function readLong(item: Field, context: MountContext): Mount[] {
  const type = item.get("type").choice(["bind", "volume", "tmpfs", "npipe", "cluster", "image"]);
  const target = item.get("target").word();
  const source = item.get("source").word();
  const readOnly = item.get("read_only").flag() ?? false;
  if (target === undefined || type === undefined) {
    if (target === undefined) item.invalid("needs a target");
    if (!item.get("type").isPresent) item.invalid("needs a type");
    return [];
  }
  switch (type) {
    case "bind":
      if (source === undefined) item.invalid("a bind mount needs a source");
      else return [{ kind: type, source: absolute(source, context), target, readOnly }];
      return [];
    case "volume":
      if (source === undefined) return [{ kind: type, target, readOnly }];
      return namedVolume(item, source, { target, readOnly }, context);
    case "tmpfs": {
      const sizeBytes = item.get("tmpfs").get("size").bytes();
      const mode = readMode(item.get("tmpfs").get("mode"));
      return [{ kind: type, target, ...defined({ sizeBytes, mode }) }];
    }
    default:
      item.get("type").unsupported(`mounts of type ${type}`);
      return [];
  }
}

function namedVolume(
  item: Field,
  name: string,
  mount: { readonly target: string; readonly readOnly: boolean },
  { stack, volumes }: MountContext,
): Mount[] {
  const declared = volumes.tree?.kind === "map" && volumes.tree.entries.has(name);
  if (!declared) {
    item.invalid(`volume "${name}" is not among the file's top-level volumes: declare it there`);
    return [];
  }
  const volume = volumes.get(name);
  const external = volume.get("external");
  const oldName = external.tree?.kind === "map" ? external.get("name").word() : undefined;
  const isExternal = oldName !== undefined || external.tree?.kind === "map" || external.flag();
  const given = oldName ?? volume.get("name").word();
  const source = given ?? (isExternal ? name : `${stack}_${name}`);
  const driver = volume.get("driver").word();
  const driverOptions = record(volume.get("driver_opts"));
  const labels = record(volume.get("labels"));
  return [{ kind: "volume", source, ...mount, ...defined({ driver, driverOptions, labels }) }];
}

function record(field: Field): Record<string, string> | undefined {
  if (!field.isPresent) return undefined;
  return Object.fromEntries([...field.pairs()].map(([key, value]) => [key, value ?? ""]));
}

/** "/run" or "/run:size=64m,mode=1777"; other options of mount(8) have no place in a spec. */
function readTmpfs(field: Field): Mount[] {
  const items = field.tree?.kind === "list" ? field.items() : field.isPresent ? [field] : [];
  return items.flatMap((item): Mount[] => {
    const [target = "", options = ""] = (item.word() ?? "").split(":");
    if (!target.startsWith("/")) {
      item.invalid(`expected a path such as "/run", found "${target}"`);
      return [];
    }
    const shape: { sizeBytes?: number; mode?: number } = {};
    for (const option of options.split(",").filter((one) => one !== "")) {
      const [name, value = ""] = option.split("=");
      const sizeBytes = name === "size" ? parseBytes(value) : undefined;
      if (sizeBytes !== undefined) shape.sizeBytes = sizeBytes;
      else if (name === "mode" && /^[0-7]+$/.test(value)) shape.mode = Number.parseInt(value, 8);
      else item.ignored(`"${option}": only size and mode are set`);
    }
    return [{ kind: "tmpfs", target, ...shape }];
  });
}

/** Octal as in chmod(1), with or without a leading 0 or 0o. */
export function readMode(field: Field): number | undefined {
  const word = field.word();
  if (word === undefined) return undefined;
  const digits = /^(?:0o?)?([0-7]{1,4})$/.exec(word)?.[1];
  if (digits === undefined) return field.invalid(`expected a mode such as 0755, found "${word}"`);
  return Number.parseInt(digits, 8);
}
