/**
 * For how long each ready task has been seen ready here. Rows carry wall-clock times of other
 * machines, which order nothing: an hour's error of one clock must not hold up a rollout.
 */

import type { TaskId } from "../model/ids.ts";

export class ReadyWatch {
  #nowMs = 0;
  #before: ReadonlyMap<TaskId, number> = new Map();
  #seen = new Map<TaskId, number>();

  /** Begins a look. Tasks that were not asked for in the last one begin anew. */
  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#before = this.#seen;
    this.#seen = new Map();
  }

  /** Asked for ready tasks only; ms since the first of the looks in a row that asked. */
  forMs(task: TaskId): number {
    const sinceMs = this.#before.get(task) ?? this.#seen.get(task) ?? this.#nowMs;
    this.#seen.set(task, sinceMs);
    return this.#nowMs - sinceMs;
  }
}
