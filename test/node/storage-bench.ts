/** What the tests of storage share: directories of their own, short ways to write and to look. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { OperationError, type ProblemCode } from "../../model/problem.ts";
import { openStorage } from "../../node/storage.ts";
import type { Storage, Write } from "../../ports.ts";
import { isRoot } from "./mounts.ts";

const root = mkdtempSync(join(tmpdir(), "shoal-storage-"));
after(() => rmSync(root, { recursive: true, force: true }));
export const needsRoot = isRoot ? {} : { skip: "only root can mount a disk" };

export function fresh(): string {
  return mkdtempSync(join(root, "data-"));
}

export function write(table: Write["table"], key: string, text: string | undefined): Write {
  return { table, key, value: text === undefined ? undefined : Buffer.from(text) };
}

export function put(storage: Storage, ...writes: Write[]): void {
  assert.deepEqual(storage.commit(writes), { kind: "stored" });
}

export function texts(storage: Storage, table: Write["table"]): Record<string, string> {
  const entries = [...storage.load(table)].map(([key, value]) => {
    return [key, Buffer.from(value).toString()] as const;
  });
  return Object.fromEntries(entries);
}

/** Opens, looks, closes. */
export function look<Value>(
  directory: string,
  see: (storage: Storage, problems: readonly { readonly code: ProblemCode }[]) => Value,
): Value {
  const { storage, problems } = openStorage(directory);
  try {
    return see(storage, problems);
  } finally {
    storage.close();
  }
}

export function problemOf(run: () => unknown): { readonly code: ProblemCode } {
  try {
    run();
  } catch (error) {
    if (error instanceof OperationError) return error.problems[0] as { code: ProblemCode };
    throw error;
  }
  assert.fail("nothing was thrown");
}

/** A program that commits without end: see storing-process.ts. */
export const storing = fileURLToPath(new URL("./storing-process.ts", import.meta.url));

export function startStoring(directory: string): ChildProcess {
  const args = ["--disable-warning=ExperimentalWarning", storing, directory];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}
