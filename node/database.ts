/**
 * One SQLite file: tables of keys and bytes, each row with a checksum, all written rows durable
 * when `write` returns (write-ahead log, synced at every commit). Throws SQLite's own errors, and
 * `Damage` for what SQLite cannot know; node/storage.ts decides what they mean. A door.
 *
 * Sources: https://sqlite.org/wal.html, https://sqlite.org/pragma.html. In exclusive locking mode
 * the log has no shared-memory file, which a full disk could not extend.
 */

import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { OperationError } from "../model/problem.ts";
import type { Write } from "../ports.ts";
import { makePrivateFile, syncDirectory } from "./data-directory.ts";

type Table = Write["table"];
const tables: readonly Table[] = ["fact", "document", "revision", "meta"];

/**
 * How each schema is made from the one before it; the database counts them in `user_version`.
 * Only ever append. One b-tree per table (`without rowid`): no index that could disagree with it.
 */
export const migrations: readonly string[] = [
  tables
    .map((table) => {
      const columns = "key text primary key, value blob not null, sum integer not null";
      return `create table ${table} (${columns}) strict, without rowid`;
    })
    .join("; "),
];

const pragmas = [
  "locking_mode = exclusive",
  "journal_mode = wal",
  "synchronous = full",
  // A log that grew under load is cut back to this, bytes.
  "journal_size_limit = 4194304",
];

/** What the bytes on the disk say cannot be what was written. */
export class Damage extends Error {
  override readonly name = "Damage";
}

type Row = { readonly key: string; readonly value: Uint8Array; readonly sum: number };

export class Database {
  readonly #database: DatabaseSync;
  readonly #put = new Map<Table, StatementSync>();
  readonly #delete = new Map<Table, StatementSync>();

  /** Made where it is missing; every byte of one that is there is checked. */
  constructor(path: string, steps: readonly string[] = migrations) {
    makePrivateFile(path);
    syncDirectory(dirname(path));
    this.#database = new DatabaseSync(path, { timeout: 0 });
    try {
      for (const pragma of pragmas) this.#database.exec(`pragma ${pragma}`);
      this.#check();
      this.#migrate(path, steps);
      this.#prepare();
      for (const table of tables) for (const row of this.#rows(table)) verify(table, row);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** All or nothing. */
  write(writes: readonly Write[]): void {
    this.#within(() => {
      for (const { table, key, value } of writes) {
        if (value === undefined) this.#delete.get(table)?.run(key);
        else this.#put.get(table)?.run(key, value, checksum(table, key, value));
      }
    });
  }

  read(table: Table): ReadonlyMap<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    for (const row of this.#rows(table)) {
      verify(table, row);
      found.set(row.key, row.value);
    }
    return found;
  }

  close(): void {
    this.#database.close();
  }

  #check(): void {
    const found = this.#database.prepare("pragma quick_check(1)").get();
    const verdict = found === undefined ? "" : Object.values(found)[0];
    if (verdict !== "ok") throw new Damage(String(verdict));
  }

  /** Forward only, all steps or none: what stops half way is as it was. */
  #migrate(path: string, steps: readonly string[]): void {
    const found = Number(this.#database.prepare("pragma user_version").get()?.user_version);
    const supported = steps.length;
    if (found > supported)
      throw new OperationError({ code: "schema-newer", path, found, supported });
    if (found === supported) return;
    this.#within(() => {
      for (const migration of steps.slice(found)) this.#database.exec(migration);
      this.#database.exec(`pragma user_version = ${supported}`);
    });
  }

  /** A table that is not there although the schema has it is damage like any other. */
  #prepare(): void {
    const known = this.#database.prepare("select name from sqlite_schema where type = 'table'");
    const names = new Set(known.all().map(({ name }) => name));
    for (const table of tables) {
      if (!names.has(table)) throw new Damage(`table ${table} is missing`);
      const put = `insert or replace into ${table} (key, value, sum) values (?, ?, ?)`;
      this.#put.set(table, this.#database.prepare(put));
      this.#delete.set(table, this.#database.prepare(`delete from ${table} where key = ?`));
    }
  }

  #rows(table: Table): IterableIterator<Row> {
    const select = this.#database.prepare(`select key, value, sum from ${table}`);
    return select.iterate() as unknown as IterableIterator<Row>;
  }

  #within(work: () => void): void {
    this.#database.exec("begin immediate");
    try {
      work();
      this.#database.exec("commit");
    } catch (error) {
      // SQLite itself rolls back after some errors, a full disk among them.
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw error;
    }
  }
}

/**
 * Rows of a damaged database that are as they were written, from both ends of each table up to
 * where it is broken. Some may be older than the newest that was written: whoever reads them must
 * be able to do with any subset, as replicated state is.
 */
export function salvage(path: string): Write[] {
  const found = new Map<string, Write>();
  for (const table of tables) {
    for (const order of ["asc", "desc"]) {
      try {
        const database = new DatabaseSync(path, { readOnly: true });
        try {
          const text = `select key, value, sum from ${table} order by key ${order}`;
          for (const row of database.prepare(text).iterate() as unknown as Iterable<Row>) {
            const { key, value } = row;
            if (isWhole(table, row)) found.set(`${table} ${key}`, { table, key, value });
          }
        } finally {
          database.close();
        }
      } catch {
        // As far as it could be read.
      }
    }
  }
  return [...found.values()];
}

function verify(table: Table, row: Row): void {
  if (!isWhole(table, row)) throw new Damage(`a row of ${table} is not what was written`);
}

function isWhole(table: Table, { key, value, sum }: Row): boolean {
  return value instanceof Uint8Array && checksum(table, key, value) === sum;
}

function checksum(table: Table, key: string, value: Uint8Array): number {
  return crc32(value, crc32(`${table}\0${key}\0`));
}
