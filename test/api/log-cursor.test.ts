import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LogCursors, newLines } from "../../api/log-cursor.ts";
import { cursorsMax } from "../../api/shapes.ts";

/** Few milliseconds, so that several lines share one. */
const times = fc.array(fc.nat(3)).map((steps) => {
  let atMs = 0;
  return steps.map((step) => {
    atMs += step > 1 ? 0 : step;
    return { task: "t" as never, atMs };
  });
});

test("a reader that comes again gets each line once, wherever it left off", () => {
  fc.assert(
    fc.property(times, fc.nat(), fc.nat(), (lines, first, second) => {
      const cursors = new LogCursors();
      const read: number[] = [];
      // Three visits; each is cut off somewhere, the last reads to the end.
      for (const stop of [first % (lines.length + 1), second % (lines.length + 1), lines.length]) {
        const cursor = cursors.positions().t;
        const isNew = newLines(cursor);
        lines.forEach((line, index) => {
          if (line.atMs < (cursor?.atMs ?? 0) || index >= stop || !isNew(line)) return;
          read.push(index);
          cursors.note(line);
        });
      }
      assert.deepEqual(
        read,
        lines.map((_, index) => index),
      );
    }),
  );
});

test("after the last line known, nothing is held back, even from a clock that jumped back", () => {
  const isNew = newLines({ atMs: 5, lines: 1 });
  const asked = [4, 5, 5, 9, 2, 5].map((atMs) => isNew({ atMs }));
  assert.deepEqual(asked, [false, false, true, true, true, true]);
});

test("a reader remembers the tasks that wrote last, and not without bound", () => {
  const cursors = new LogCursors();
  cursors.note({ task: "old" as never, atMs: 1 });
  for (let task = 0; task < cursorsMax; task++) {
    cursors.note({ task: `t${task}` as never, atMs: 1 });
  }
  const positions = cursors.positions();
  assert.equal(Object.keys(positions).length, cursorsMax);
  assert.equal(positions.old, undefined);
});
