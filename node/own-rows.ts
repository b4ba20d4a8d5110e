/** What this node says of itself: the rows of its own document, written only when they change. */

import type { Store } from "../gossip/store.ts";
import type { NodeFacts, Row } from "../model/documents.ts";
import type { NodeId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import type { LocalTasks } from "./local-tasks.ts";

export class OwnRows {
  readonly #self: NodeId;
  readonly #store: Store;
  #facts: { readonly of: NodeFacts; readonly key: string; readonly row: Row } | undefined;

  constructor(self: NodeId, store: Store) {
    this.#self = self;
    this.#store = store;
  }

  writeFacts(row: Row, incarnation: number, { wallMs }: Moment): void {
    this.#store.amend(new Map([["node", row]]), { wallMs, incarnation });
  }

  /** The engines that can be counted on now, and what ails the node. One object while equal. */
  facts(
    of: NodeFacts,
    tasks: LocalTasks,
    problems: readonly Problem[],
    { monotonicMs }: Moment,
  ): Row {
    const engines = of.engines.filter((engine) => tasks.isUsable(engine, monotonicMs));
    const ailments = [...new Set(problems.map(({ code }) => code))].sort();
    const key = `${engines.join()} ${ailments.join()}`;
    if (this.#facts?.of !== of || this.#facts.key !== key) {
      this.#facts = { of, key, row: { kind: "node", ...of, engines, ailments } };
    }
    return this.#facts.row;
  }

  /** `work` is all rows about tasks; what is no longer among them goes. */
  writeWork(
    work: ReadonlyMap<string, Row>,
    accuse: ReadonlyMap<NodeId, number>,
    incarnation: number,
    { wallMs }: Moment,
  ): void {
    const wanted = new Map<string, Row>(work);
    for (const [accused, theirs] of accuse) {
      wanted.set(`accuse/${accused}`, { kind: "accuse", accused, incarnation: theirs });
    }
    const changes = new Map<string, Row | undefined>(wanted);
    for (const [key] of this.#store.rows(this.#self, "")) {
      if (!wanted.has(key) && isWork(key)) changes.set(key, undefined);
    }
    this.#store.amend(changes, { wallMs, incarnation });
  }
}

/** Rows that this version does not know are not its own to delete. */
function isWork(key: string): boolean {
  return /^(task\/|no-fit\/|accuse\/)/.test(key);
}
