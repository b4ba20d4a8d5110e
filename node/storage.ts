/**
 * The node's state on its own disk, as a port. A write that was acknowledged survives a kill or a
 * power cut at any byte; a full disk refuses writes until there is room; a damaged database is set
 * aside, and a fresh one begins with what of it is still whole. A door.
 */

import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { OperationError, type Problem } from "../model/problem.ts";
import type { Storage, Write } from "../ports.ts";
import {
  directoryProblem,
  lockDirectory,
  openDirectory,
  sqliteCode,
  sqliteCodes,
  syncDirectory,
  tryWriting,
} from "./data-directory.ts";
import { Damage, Database, salvage } from "./database.ts";

const databaseFile = "state.db";

export type OpenedStorage = {
  readonly storage: Storage;
  /** What was found at opening: a database that was damaged. */
  readonly problems: readonly Problem[];
};

/**
 * Locks the directory as well. Throws an OperationError when another agent has it, it cannot be
 * written, its disk is full at the very first start, or a newer Shoal wrote it.
 */
export function openStorage(directory: string): OpenedStorage {
  openDirectory(directory);
  const lock = lockDirectory(directory);
  const problems: Problem[] = [];
  const storage = new LiveStorage(directory, lock, problems);
  try {
    storage.open();
  } catch (error) {
    storage.close();
    throw error;
  }
  return { storage, problems };
}

class LiveStorage implements Storage {
  readonly #directory: string;
  readonly #file: string;
  readonly #lock: { release(): void };
  readonly #problems: Problem[];
  /** Undefined after an error that leaves a connection in doubt; opened again by the next call. */
  #database: Database | undefined;
  #closed = false;

  constructor(directory: string, lock: { release(): void }, problems: Problem[]) {
    this.#directory = directory;
    this.#file = join(directory, databaseFile);
    this.#lock = lock;
    this.#problems = problems;
  }

  open(): void {
    try {
      this.#connect();
    } catch (error) {
      const problem = this.#recover(error);
      if (problem.code !== "database-damaged") throw new OperationError(problem, { cause: error });
      this.#problems.push(problem);
    }
  }

  commit(writes: readonly Write[]): ReturnType<Storage["commit"]> {
    try {
      this.#connect().write(writes);
      return { kind: "stored" };
    } catch (error) {
      return { kind: "refused", problem: this.#recover(error) };
    }
  }

  load(table: Write["table"]): ReadonlyMap<string, Uint8Array> {
    try {
      return this.#connect().read(table);
    } catch (error) {
      const problem = this.#recover(error);
      if (problem.code !== "database-damaged") throw new OperationError(problem, { cause: error });
      this.#problems.push(problem);
      return this.#connect().read(table);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#disconnect();
    this.#lock.release();
  }

  #connect(): Database {
    if (this.#closed) throw new Error("the storage is closed");
    this.#database ??= new Database(this.#file);
    return this.#database;
  }

  #disconnect(): void {
    const database = this.#database;
    this.#database = undefined;
    try {
      database?.close();
    } catch {
      // What it could not write at the end stands in its log, and is read from there.
    }
  }

  /** What went wrong, as an operator reads it; afterwards the next call can be tried. */
  #recover(error: unknown): Problem {
    if (error instanceof OperationError) return error.problems[0] as Problem;
    const code = sqliteCode(error);
    const isDamaged = code === sqliteCodes.corrupt || code === sqliteCodes.notADb;
    if (error instanceof Damage || isDamaged) return this.#startAfresh();
    // The transaction is rolled back, and the connection as good as before.
    if (code === sqliteCodes.full) return directoryProblem(this.#directory, error);
    const isRefused = code !== undefined || (error as NodeJS.ErrnoException).syscall !== undefined;
    if (!isRefused) throw error;
    this.#disconnect();
    return tryWriting(this.#directory) ?? directoryProblem(this.#directory, error);
  }

  #startAfresh(): Problem {
    this.#disconnect();
    const aside = `${this.#file}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
    try {
      for (const suffix of ["-wal", ""]) moveIfThere(this.#file + suffix, aside + suffix);
      syncDirectory(this.#directory);
      const whole = salvage(aside);
      rmSync(`${aside}-shm`, { force: true });
      this.#connect().write(whole);
    } catch (error) {
      // Not twice: a fresh file that is broken at once says that the disk is.
      this.#disconnect();
      return tryWriting(this.#directory) ?? directoryProblem(this.#directory, error);
    }
    return { code: "database-damaged", path: this.#file, setAside: aside };
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
