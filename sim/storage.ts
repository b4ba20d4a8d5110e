/**
 * The simulated disk of a host. It outlives the agent and the power. A commit is all or nothing,
 * as SQLite promises; the disk may be full, and the power may go in the middle of a commit, with
 * or without its having reached the disk: nobody was told either way.
 */

import type { Problem } from "../model/problem.ts";
import type { Storage, Write } from "../ports.ts";
import { Crash } from "./loop.ts";

export type Tear = {
  /** Whether the commit had reached the disk. */
  readonly outcome: "kept" | "lost";
  /** The next commit of any kind, or the next that has an operator's word in it. */
  readonly commit: "any" | "revision";
};

export class SimDisk {
  readonly #tables = new Map<Write["table"], Map<string, Uint8Array>>();
  #full = false;
  #tear: Tear | undefined;
  commits = 0;

  setFull(full: boolean): void {
    this.#full = full;
  }

  /** The process dies in the middle of its next commit; undefined takes it back. */
  tearNext(tear: Tear | undefined): void {
    this.#tear = tear;
  }

  put(writes: readonly Write[]): void {
    for (const { table, key, value } of writes) {
      const rows = this.#tables.get(table) ?? new Map<string, Uint8Array>();
      this.#tables.set(table, rows);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  }

  /** The port of an agent that is just starting. */
  open(): Storage {
    this.#tear = undefined;
    return {
      commit: (writes) => this.#commit(writes),
      load: (table) => new Map(this.#tables.get(table)),
      close: () => {},
    };
  }

  #commit(writes: readonly Write[]): ReturnType<Storage["commit"]> {
    const tear = this.#takeTear(writes);
    if (tear?.outcome === "lost") throw new Crash("the power went before the commit was on disk");
    if (this.#full && writes.length > 0) {
      const problem: Problem = { code: "disk-full", path: "simulated" };
      return { kind: "refused", problem };
    }
    this.commits++;
    this.put(writes);
    if (tear?.outcome === "kept") throw new Crash("the power went after the commit was on disk");
    return { kind: "stored" };
  }

  #takeTear(writes: readonly Write[]): Tear | undefined {
    const tear = this.#tear;
    if (tear?.commit === "revision" && !writes.some(({ table }) => table === "revision")) return;
    this.#tear = undefined;
    return tear;
  }
}
