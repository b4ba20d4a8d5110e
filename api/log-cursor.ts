/**
 * Reading on in a log where one left off, to the line. A position is the time of the last line
 * read and how many lines of that millisecond were read: logs have no line numbers, but reading
 * one twice gives the same times. A clock that jumped back may repeat lines, never lose them.
 */

import { type Cursor, cursorsMax, type LogLine } from "./shapes.ts";

/** The reader's side: where it stands in every task's log. */
export class LogCursors {
  readonly #cursors = new Map<string, Cursor>();

  note({ task, atMs }: Pick<LogLine, "task" | "atMs">): void {
    const known = this.#cursors.get(task);
    const lines = known?.atMs === atMs ? known.lines + 1 : 1;
    // Put at the end: the tasks that wrote last are the ones to remember.
    this.#cursors.delete(task);
    this.#cursors.set(task, { atMs, lines });
    if (this.#cursors.size > cursorsMax) {
      const [oldest] = this.#cursors.keys();
      if (oldest !== undefined) this.#cursors.delete(oldest);
    }
  }

  positions(): Readonly<Record<string, Cursor>> {
    return Object.fromEntries(this.#cursors);
  }
}

/** The writer's side: tells the lines that the reader does not have, called once for each. */
export function newLines(cursor: Cursor | undefined): (line: Pick<LogLine, "atMs">) => boolean {
  let seen = cursor;
  let left = cursor?.lines ?? 0;
  return ({ atMs }) => {
    if (seen === undefined) return true;
    if (atMs < seen.atMs) return false;
    if (atMs === seen.atMs && left > 0) {
      left--;
      return false;
    }
    seen = undefined;
    return true;
  };
}
