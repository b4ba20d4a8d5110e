/** Finds the program that a command names. A door. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import type { Environment } from "../environment.ts";

/**
 * As a shell finds it: by PATH unless it has a "/", which is then taken from the task's own
 * directory. "node" is the agent's own. Undefined when there is no such program.
 */
export function findProgram(
  name: string,
  environment: Environment,
  directory: string,
): string | undefined {
  if (name === "node") return process.execPath;
  if (name.includes("/")) {
    const path = resolve(directory, name);
    return isProgram(path) ? path : undefined;
  }
  const folders = (environment.PATH ?? "").split(delimiter).filter(Boolean);
  return folders.map((folder) => `${folder}/${name}`).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
