/**
 * Backups as files of a person: written whole or not at all, for nobody else to read; read within
 * bounds. A door.
 */

import {
  closeSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { buffer } from "node:stream/consumers";
import { OperationError } from "../model/problem.ts";

/** Beside the file until it is whole. Throws an OperationError, and leaves what was there. */
export function writePrivate(path: string, bytes: Uint8Array): void {
  const next = `${path}.new-${process.pid}`;
  try {
    refuseDevice(path);
    const file = openSync(next, "wx", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(next, { force: true });
    const detail = error instanceof Error ? error.message : String(error);
    throw new OperationError({ code: "data-directory-unwritable", path, detail }, { cause: error });
  }
}

/** To rename a file over a device, a link or a directory is never what was meant. */
function refuseDevice(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) throw new Error("it is there, and is no plain file");
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Undefined when it cannot be read or is larger. "-" is standard input. */
export async function readBytes(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  if (path === "-") {
    const input = await buffer(process.stdin);
    return input.length > bytesMax ? undefined : new Uint8Array(input);
  }
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    if (fstatSync(file).size > bytesMax) return undefined;
    return new Uint8Array(readFileSync(file));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
