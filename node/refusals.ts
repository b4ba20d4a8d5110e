/** What this node cannot run, it says in rows that expire, so that the next in rank takes over. */

import type { Row } from "../model/documents.ts";
import type { ReplicaId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import { explain } from "../model/problem.ts";
import type { LocalTask } from "./local-tasks.ts";

/** Problems that another node may not have. */
const cannotRunHere: ReadonlySet<string> = new Set([
  "image-not-found",
  "image-pull-failed",
  "command-not-found",
  "port-in-use",
  "engine-refused",
  "disk-full",
  "data-directory-unwritable",
]);

export class Refusals {
  readonly #forMs: number;
  readonly #rows = new Map<ReplicaId, Row & { kind: "no-fit" }>();

  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  /** Once for each task that ended: its problem is used up. */
  note(task: LocalTask, { wallMs }: Moment): void {
    const { problem, facts } = task;
    if (problem === undefined || !cannotRunHere.has(problem.code)) return;
    task.problem = undefined;
    this.#rows.set(facts.replica, {
      kind: "no-fit",
      replica: facts.replica,
      revision: facts.revision,
      reason: explain(problem),
      untilMs: wallMs + this.#forMs,
    });
  }

  /** Those that have not expired. One from a time when the clock was ahead would never. */
  rows(wallMs: number): ReadonlyMap<string, Row> {
    const rows = new Map<string, Row>();
    for (const [replica, row] of this.#rows) {
      if (row.untilMs <= wallMs || row.untilMs > wallMs + this.#forMs) this.#rows.delete(replica);
      else rows.set(`no-fit/${replica}`, row);
    }
    return rows;
  }
}
