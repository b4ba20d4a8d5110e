/** What a compilation is given: files, variables, and how to look at further files. */

import { posix } from "node:path";
import type { Environment } from "./interpolation.ts";

export type ComposeSource = {
  /** In order, later over earlier. At least one. `path` is as the operator gave it. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Absolute: the first file's directory, where relative paths begin. */
  readonly directory: string;
  /** The operator's shell over the `.env` beside the file. */
  readonly env: Environment;
  /** Text of a file by absolute path, undefined when it cannot be read. For `env_file`. */
  readonly readText: (path: string) => string | undefined;
  /** Named on the command line; wins over the file's `name`. */
  readonly stack?: string | undefined;
  /** Profiles to include; "*" means all. */
  readonly profiles?: readonly string[];
};

export type SourceContext = Pick<ComposeSource, "directory" | "env" | "readText"> & {
  readonly stack: string;
  /** Absolute path of what a file of this project names. */
  resolve(path: string): string;
};

export function contextOf(source: ComposeSource, stack: string): SourceContext {
  const { directory, env, readText } = source;
  const resolve = (path: string): string => {
    return path.startsWith("/") ? path : posix.join(directory, path);
  };
  return { directory, env, readText, stack, resolve };
}
