/**
 * What operators said last, by what they themselves know of their writes: under each key the best
 * of what was acknowledged, in an order of its own, a slow twin of crdt/stamp.ts; and which writes
 * were lost to it without its writer's having seen them.
 *
 * A write that nobody answered may be anywhere or nowhere: a key whose best word is such a one
 * says nothing. One that was refused is nowhere.
 */

import { conflicts, type Revision, revisionsKept } from "../crdt/register.ts";
import type { NodeId } from "../model/ids.ts";
import type { Agent } from "../node/agent.ts";
import type { Written } from "./operators.ts";

export class LastWords {
  readonly #words = new Map<string, Written>();
  readonly #byId = new Map<string, Written>();
  readonly #members: ReadonlySet<NodeId>;

  /** `members`: what was taken by others may have gone with their disks. */
  constructor(written: readonly Written[], members: ReadonlySet<NodeId>) {
    this.#members = members;
    for (const one of written) {
      const { revision, refused } = one;
      this.#byId.set(revision.id, one);
      const best = this.#words.get(revision.key);
      if (refused || (best && beats(best.revision, revision))) continue;
      this.#words.set(revision.key, one);
    }
  }

  /** What an agent takes for the last word and is not, or shows as lost and is not. */
  faultOf({ store }: Agent): string | undefined {
    for (const [key, { revision, acknowledged, at }] of this.#words) {
      if (!acknowledged || !this.#members.has(at.node)) continue;
      const what = revision.value === undefined ? "removal" : "last word";
      const current = store.current(key)?.id;
      if (current !== (revision.value === undefined ? undefined : revision.id)) {
        return `the ${what} of ${key}, generation ${revision.stamp.generation}, does not stand`;
      }
      const fault = this.#conflictFault(revision, store.register(key)?.revisions ?? []);
      if (fault !== undefined) return `${key}: ${fault}`;
    }
    return undefined;
  }

  #conflictFault(best: Revision, kept: readonly Revision[]): string | undefined {
    const seen = this.#seenBy(best);
    const shown = new Set(conflicts({ key: best.key, revisions: kept }).map(({ id }) => id));
    // Where nothing fell out yet, the chain of parents is whole.
    const isWhole = kept.length < revisionsKept;
    for (const { id, stamp } of kept) {
      if (id === best.id || !this.#byId.has(id)) continue;
      const which = `generation ${stamp.generation}`;
      if (seen.has(id) && shown.has(id)) return `${which} is a conflict, and was replaced`;
      if (!seen.has(id) && !shown.has(id) && isWhole) return `${which} was lost without a word`;
    }
    return undefined;
  }

  /** All that its writer had before it, and what their writers had. */
  #seenBy({ id }: Revision): ReadonlySet<string> {
    const seen = new Set<string>(this.#byId.get(id)?.seen);
    // A set that grows while it is walked is walked to its end.
    for (const each of seen) {
      for (const earlier of this.#byId.get(each)?.seen ?? []) seen.add(earlier);
    }
    return seen;
  }
}

function beats({ stamp: left, id }: Revision, { stamp: right, id: other }: Revision): boolean {
  if (left.generation !== right.generation) return left.generation > right.generation;
  if (left.timeMs !== right.timeMs) return left.timeMs > right.timeMs;
  if (left.counter !== right.counter) return left.counter > right.counter;
  if (left.writer !== right.writer) return left.writer > right.writer;
  return id < other;
}
