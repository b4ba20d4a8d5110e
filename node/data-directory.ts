/**
 * The agent's own directory: nobody else may read it, one agent at a time uses it, and small files
 * in it are replaced whole or not at all. A door.
 */

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OperationError, type Problem } from "../model/problem.ts";

const keyFile = "node.key";
const keyBytes = 32;
const lockFile = "lock.db";
const holderFile = "agent.pid";
/** A few bytes may find room in a block that is there already; these do not. */
const trialBytes = 65_536;

/** SQLite's codes, https://sqlite.org/rescode.html */
export const sqliteCodes = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, notADb: 26 };

/** Makes it where it is missing, and closes it to others. Throws an OperationError. */
export function openDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch (error) {
    throw new OperationError(directoryProblem(path, error), { cause: error });
  }
}

/** Everything in it goes. It stays itself, empty, where it is a mount. */
export function dropDirectory(path: string): void {
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
  try {
    rmdirSync(path);
  } catch {
    // A mount, or in a directory that is not ours.
  }
}

/**
 * Holds the directory until `release`, or until this process ends in whatever way: the lock is the
 * kernel's, on an empty database that is never written. The file with the holder's pid only says
 * whom to look for.
 */
export function lockDirectory(path: string): { release(): void } {
  const lock = takeLock(path);
  try {
    writePrivateFile(join(path, holderFile), Buffer.from(`${process.pid}\n`));
  } catch {
    // On a full disk the name in the file is an old one, and the lock holds all the same.
  }
  return { release: () => lock.close() };
}

function takeLock(path: string): DatabaseSync {
  const file = join(path, lockFile);
  let lock: DatabaseSync | undefined;
  try {
    makePrivateFile(file);
    lock = new DatabaseSync(file, { timeout: 0 });
    // Nothing of it goes to the disk, which may be full: a journal on it would.
    lock.exec("pragma journal_mode = memory; pragma locking_mode = exclusive; begin exclusive");
    return lock;
  } catch (error) {
    lock?.close();
    if (sqliteCode(error) === sqliteCodes.busy) {
      const problem: Problem = { code: "data-directory-locked", path, holder: readHolder(path) };
      throw new OperationError(problem, { cause: error });
    }
    if (sqliteCode(error) !== sqliteCodes.notADb) {
      throw new OperationError(directoryProblem(path, error), { cause: error });
    }
  }
  // Something wrote into it. Nobody can hold a lock on what is no database.
  rmSync(file);
  return takeLock(path);
}

/**
 * Empty, where it is missing. One that is there is not even opened: closing any handle of a file
 * drops this process's POSIX locks on it, and with them SQLite's.
 */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

function readHolder(path: string): string {
  try {
    const pid = Number(readFileSync(join(path, holderFile), "utf8"));
    return Number.isInteger(pid) && pid > 0 ? `process ${pid}` : "its process is not known";
  } catch {
    return "its process is not known";
  }
}

/**
 * After it returned, the file holds these bytes; if it throws or the power goes, those or what it
 * held before. Throws an OperationError.
 */
export function writePrivateFile(path: string, bytes: Uint8Array): void {
  const next = `${path}.new`;
  try {
    rmSync(next, { force: true });
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
    throw new OperationError(directoryProblem(dirname(path), error), { cause: error });
  }
}

/** A name is on the disk when its directory is. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * The node's 32 secret bytes: made once, never replaced. `wanted` is what they have to be, where
 * somebody has said so already. Throws an OperationError.
 */
export function loadNodeKey(directory: string, wanted?: Uint8Array): Uint8Array {
  const path = join(directory, keyFile);
  let seed: Buffer;
  try {
    seed = readFileSync(path);
    chmodSync(path, 0o600);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw unreadable(path, String(error));
    seed = Buffer.from(wanted ?? randomBytes(keyBytes));
    writePrivateFile(path, seed);
  }
  if (seed.length !== keyBytes) {
    throw unreadable(path, `it holds no key (${keyBytes} bytes): put back the right one`);
  }
  if (wanted === undefined || seed.equals(wanted)) return new Uint8Array(seed);
  throw unreadable(path, "it holds another key than the one that was to be used: try again");
}

function unreadable(file: string, detail: string): OperationError {
  return new OperationError({ code: "file-unreadable", file, detail });
}

/** What the system's refusal means to an operator. */
export function directoryProblem(path: string, error: unknown): Problem {
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT" || sqliteCode(error) === sqliteCodes.full) {
    return { code: "disk-full", path };
  }
  const detail = error instanceof Error ? error.message : String(error);
  return { code: "data-directory-unwritable", path, detail };
}

/** Tries to write, for errors that do not say why: SQLite calls a used-up quota an I/O error. */
export function tryWriting(path: string): Problem | undefined {
  const file = join(path, "trial.new");
  try {
    writeFileSync(file, new Uint8Array(trialBytes), { mode: 0o600, flush: true });
    return undefined;
  } catch (error) {
    return directoryProblem(path, error);
  } finally {
    removeQuietly(file);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Where nothing can be written, nothing was.
  }
}

function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** The primary code, without what extends it. */
export function sqliteCode(error: unknown): number | undefined {
  const extended = (error as { errcode?: number } | undefined)?.errcode;
  return extended === undefined ? undefined : extended & 0xff;
}
