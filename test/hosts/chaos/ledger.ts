/**
 * What the mesh has acknowledged, beside what its nodes show: an acknowledged write is the current
 * revision on every node, or a past one, or kept as the loser of a conflict; never gone.
 *
 * Two sides of a partition take writes at the same time, so that more than one may rightly be the
 * current one afterwards: the last that was acknowledged at any of the hosts since all were equal.
 * A command that failed or was cut short may have written all the same: that is allowed, and not
 * demanded. What a node refused with a reason of its own must come to nothing.
 */

import type { MeshView, RevisionView, ServiceView } from "../../../model/view.ts";

/** `unknown`: nobody answered, or with something that does not say whether it was written. */
export type WriteOutcome = "acknowledged" | "refused" | "unknown";

export type Entry = {
  /** Unique: the revision carries it in its environment. Absent when only the scale was written. */
  readonly mark?: string;
  readonly service: string;
  readonly host: number;
  /** Absent when only the spec was written. */
  readonly replicas?: number;
  readonly outcome: WriteOutcome;
};

/** The variable that carries the mark. */
export const markName = "WRITE";

type Known = { readonly mark?: string; readonly replicas?: number };

export class Ledger {
  /** What each service was when all nodes were equal last. */
  readonly #base = new Map<string, Known>();
  #entries: Entry[] = [];
  /** All that were ever said, by what came of them. */
  readonly counts = { acknowledged: 0, refused: 0, unknown: 0 };

  add(entry: Entry): void {
    this.#entries.push(entry);
    this.counts[entry.outcome] += 1;
  }

  /** What is wrong with this node's view, in sentences. */
  compare(node: string, { services }: MeshView): string[] {
    const names = new Set([...this.#base.keys(), ...this.#entries.map((one) => one.service)]);
    return [...names].flatMap((name) => {
      const entries = this.#entries.filter((one) => one.service === name);
      const view = services.find(({ service }) => service === name);
      if (view !== undefined) {
        const faults = [...this.#compareMarks(view, entries), ...this.#compareScale(view, entries)];
        return faults.map((fault) => `${node}: ${name} ${fault}`);
      }
      const wanted =
        this.#base.has(name) || entries.some(({ outcome }) => outcome === "acknowledged");
      return wanted ? [`${node}: ${name} is gone`] : [];
    });
  }

  /** All nodes are equal and nothing is on its way: from here on, what this view says stands. */
  settle({ services }: MeshView): void {
    this.#entries = [];
    for (const view of services) {
      const mark = markOf(view.history.find(({ status }) => status === "current"));
      const known = { replicas: view.replicas, ...(mark === undefined ? {} : { mark }) };
      this.#base.set(view.service, known);
    }
  }

  #compareMarks({ service, history }: ServiceView, entries: readonly Entry[]): string[] {
    const faults: string[] = [];
    const shown = new Set(history.map(markOf));
    for (const { mark, outcome, host } of entries) {
      const isShown = shown.has(mark);
      if (mark === undefined) continue;
      if (outcome === "acknowledged" && !isShown) {
        faults.push(`lost write ${mark}, acknowledged at host${host}`);
      } else if (outcome === "refused" && isShown) {
        faults.push(`has write ${mark}, refused at host${host}`);
      }
    }
    const current = history.find(({ status }) => status === "current");
    const allowed = mayStand(entries, ({ mark }) => mark, this.#base.get(service)?.mark);
    const mark = markOf(current);
    if (mark !== undefined && !allowed.has(mark)) {
      faults.push(`stands at write ${mark}, not at ${[...allowed].join(" or ")}`);
    }
    const newest = Math.max(...history.map(({ generation }) => generation));
    if (current !== undefined && current.generation < newest) {
      faults.push(`stands at generation ${current.generation} and knows ${newest}`);
    }
    return faults;
  }

  #compareScale({ service, replicas }: ServiceView, entries: readonly Entry[]): string[] {
    const allowed = mayStand(entries, (one) => one.replicas, this.#base.get(service)?.replicas);
    if (allowed.has(replicas)) return [];
    return [`wants ${replicas} replicas, not ${[...allowed].join(" or ")}`];
  }
}

/** The last word at each host, and all whose outcome nobody knows; what was before, if need be. */
function mayStand<Value>(
  entries: readonly Entry[],
  pick: (entry: Entry) => Value | undefined,
  before: Value | undefined,
): Set<Value> {
  const lastAt = new Map<number, Value>();
  const unknown: Value[] = [];
  for (const entry of entries) {
    const value = pick(entry);
    if (value === undefined) continue;
    if (entry.outcome === "acknowledged") lastAt.set(entry.host, value);
    else if (entry.outcome === "unknown") unknown.push(value);
  }
  const allowed = new Set([...lastAt.values(), ...unknown]);
  if (lastAt.size === 0 && before !== undefined) allowed.add(before);
  return allowed;
}

function markOf(revision: RevisionView | undefined): string | undefined {
  const { spec } = revision ?? {};
  return spec === undefined ? undefined : spec.workload.env?.[markName];
}
