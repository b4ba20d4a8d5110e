/**
 * This person's own files: contexts and key, readable by nobody else. A door.
 *
 * Invariant: a key that exists is never replaced; contexts are replaced whole, by renaming.
 */

import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBase64, type PersonKey, personKey, toBase64 } from "../api/person.ts";
import { OperationError } from "../model/problem.ts";
import { type ContextFile, noContexts, parseContexts, printContexts } from "./contexts.ts";

export type PersonFiles = {
  readonly contexts: ContextFile;
  save(contexts: ContextFile): void;
  /** Made on first use. */
  key(): PersonKey;
};

/** `SHOAL_CONFIG`, else XDG's place (XDG Base Directory Specification 0.8). */
export function configDirectory(env: NodeJS.ProcessEnv, home: string): string {
  const own = env.SHOAL_CONFIG;
  if (own !== undefined && own !== "") return own;
  const xdg = env.XDG_CONFIG_HOME;
  return join(xdg === undefined || xdg === "" ? join(home, ".config") : xdg, "shoal");
}

export function openPersonFiles(directory: string): PersonFiles {
  const contextsPath = join(directory, "contexts.json");
  const keyPath = join(directory, "key");
  return {
    get contexts() {
      return loadContexts(contextsPath);
    },
    save: (contexts) => replaceFile(directory, contextsPath, printContexts(contexts)),
    key: () => loadKey(keyPath) ?? makeKey(directory, keyPath),
  };
}

function loadContexts(path: string): ContextFile {
  const text = readOptional(path);
  if (text === undefined) return noContexts;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const contexts = parseContexts(value);
  if (contexts !== undefined) return contexts;
  const detail = "it holds no contexts: mend it, or move it away and `shoal context add` anew";
  throw new OperationError({ code: "file-unreadable", file: path, detail });
}

function loadKey(path: string): PersonKey | undefined {
  const text = readOptional(path);
  if (text === undefined) return undefined;
  const seed = fromBase64(text.trim(), 32);
  if (seed !== undefined) return personKey(seed);
  const detail = "it holds no key (32 bytes in base64)";
  throw new OperationError({ code: "file-unreadable", file: path, detail });
}

/** Two commands at once: one makes the key, the other reads what the first made. */
function makeKey(directory: string, path: string): PersonKey {
  const seed = new Uint8Array(randomBytes(32));
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(path, `${toBase64(seed)}\n`, { mode: 0o600, flag: "wx" });
    return personKey(seed);
  } catch (error) {
    const made = codeOf(error) === "EEXIST" ? loadKey(path) : undefined;
    if (made !== undefined) return made;
    throw unwritable(directory, error);
  }
}

function replaceFile(directory: string, path: string, text: string): void {
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, text, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path);
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperationError({ code: "file-unreadable", file: path, detail });
  }
}

function unwritable(path: string, error: unknown): OperationError {
  const detail = error instanceof Error ? error.message : String(error);
  return new OperationError({ code: "data-directory-unwritable", path, detail });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
