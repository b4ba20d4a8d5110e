/**
 * What is really so, beside what any agent believes: every task on every simulated engine, when
 * it served, and whether it was ended by choice or by accident.
 */

import type { ReplicaId, RevisionId, ServiceId, TaskId } from "../model/ids.ts";
import type { ObservedTask, StartOrder } from "../ports.ts";
import type { SimHost } from "./host.ts";

export type TaskRecord = {
  readonly task: TaskId;
  readonly replica: ReplicaId;
  readonly service: ServiceId;
  readonly revision: RevisionId;
  readonly host: SimHost;
  readonly startedAtMs: number;
  readonly order: StartOrder;
  state: ObservedTask["state"] | "gone";
  ready: boolean;
  /** Its agent takes it out of service, or has it stopped. */
  leaving: boolean;
  /** An operator's word made it leave. */
  wished: boolean;
  /** When it was in service last, virtual ms; 0 when it never was. */
  servedAtMs: number;
  /** When it ended without anybody's wanting it, virtual ms. */
  failedAtMs: number | undefined;
};

export class Ledger {
  readonly #nowMs: () => number;
  readonly #tasks = new Map<TaskId, TaskRecord>();
  readonly #byReplica = new Map<ReplicaId, TaskRecord[]>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  start(order: StartOrder, host: SimHost): TaskRecord {
    const { task, replica, revision, spec } = order;
    const record: TaskRecord = {
      task,
      replica,
      service: spec.service,
      revision,
      host,
      startedAtMs: this.#nowMs(),
      order,
      state: "preparing",
      ready: false,
      leaving: false,
      wished: false,
      servedAtMs: 0,
      failedAtMs: undefined,
    };
    this.#tasks.set(task, record);
    const siblings = this.#byReplica.get(replica);
    if (siblings === undefined) this.#byReplica.set(replica, [record]);
    else siblings.push(record);
    return record;
  }

  change(task: TaskId, state: TaskRecord["state"], ready: boolean): void {
    const record = this.#tasks.get(task);
    if (record === undefined) return;
    this.#touch(record);
    const wanted = record.leaving || record.state === "stopping";
    if (!wanted && (state === "exited" || state === "refused")) record.failedAtMs = this.#nowMs();
    record.state = state;
    record.ready = ready;
  }

  leave(task: TaskId): void {
    const record = this.#tasks.get(task);
    if (record === undefined) return;
    this.#touch(record);
    record.leaving = true;
  }

  stay(task: TaskId): void {
    const record = this.#tasks.get(task);
    if (record !== undefined) record.leaving = false;
  }

  /** Its agent dies now: nothing on it is in service until it is back. */
  loseHost(host: SimHost): void {
    for (const record of this.#tasks.values()) if (record.host === host) this.#touch(record);
  }

  get(task: TaskId): TaskRecord | undefined {
    return this.#tasks.get(task);
  }

  of(replica: ReplicaId): readonly TaskRecord[] {
    return this.#byReplica.get(replica) ?? [];
  }

  /** All that an engine runs now. */
  live(): TaskRecord[] {
    return [...this.#tasks.values()].filter(isLive);
  }

  #touch(record: TaskRecord): void {
    if (serves(record)) record.servedAtMs = this.#nowMs();
  }
}

export function isLive({ state }: TaskRecord): boolean {
  return state !== "gone" && state !== "exited" && state !== "refused";
}

/** Takes new traffic now. */
export function serves(record: TaskRecord): boolean {
  return record.ready && !record.leaving && record.host.running() !== undefined;
}
