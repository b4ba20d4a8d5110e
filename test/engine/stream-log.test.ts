import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { type Cursor, StreamLog } from "../../engine/process/stream-log.ts";

const directory = mkdtempSync(join(tmpdir(), "shoal-stream-log-"));
after(() => rmSync(directory, { recursive: true }));
let files = 0;
/** A file's time of change is the real one, so times in these tests lie after it. */
const startMs = Date.now() + 3_600_000;

function newPath(): string {
  return join(directory, `log-${files++}`);
}

function readAll(log: StreamLog, cursor: Cursor = log.begin()): string {
  let text = "";
  for (let piece = log.read(cursor); piece !== undefined; piece = log.read(cursor)) {
    text += Buffer.from(piece.data).toString();
  }
  return text;
}

test("a file that is not there yet is an empty log", () => {
  const log = new StreamLog(newPath(), 1_000);
  log.look(startMs);
  assert.equal(readAll(log), "");
});

test("a reader that keeps up reads every byte once, through any number of rotations", () => {
  const step = fc.record({ bytes: fc.nat(300), read: fc.boolean(), reopen: fc.boolean() });
  const law = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const path = newPath();
    let log = new StreamLog(path, 500);
    const cursor = log.begin();
    let written = "";
    let got = "";
    for (const [index, { bytes, read }] of steps.entries()) {
      const text = String(index % 10).repeat(bytes);
      appendFileSync(path, text);
      written += text;
      log.look(startMs + index);
      if (read || statSync(path).size === 0) got += readAll(log, cursor);
    }
    got += readAll(log, cursor);
    assert.equal(got, written);
    log.close();
    // What the next agent finds is the end of it.
    log = new StreamLog(path, 500);
    log.look(startMs + steps.length);
    assert.ok(written.endsWith(readAll(log)));
    log.close();
  });
  fc.assert(law, { numRuns: 50 });
});

test("the disk it takes is bounded, whatever is written", () => {
  const path = newPath();
  const log = new StreamLog(path, 1_000);
  for (let round = 0; round < 200; round++) {
    appendFileSync(path, "x".repeat(150));
    log.look(startMs + round);
  }
  const own = readdirSync(directory).filter((name) => join(directory, name).startsWith(path));
  const bytes = own.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  assert.ok(bytes < 4_000, `${bytes} bytes in ${own.join(", ")}`);
  const kept = readAll(log).length;
  assert.ok(kept >= 1_000 && kept <= 2_500, `${kept} bytes kept`);
});

test("a reader that falls behind goes on with the oldest there is", () => {
  const path = newPath();
  const log = new StreamLog(path, 100);
  const cursor = log.begin();
  for (let round = 0; round < 9; round++) {
    appendFileSync(path, String(round).repeat(101));
    log.look(startMs + round);
  }
  assert.equal(readAll(log, cursor), "8".repeat(101));
});

test("bytes have the time at which they were seen, and keep it for the next agent", () => {
  const path = newPath();
  const first = new StreamLog(path, 1_000);
  appendFileSync(path, "one");
  first.look(1_000);
  appendFileSync(path, "two");
  first.look(2_000);
  first.close();
  for (const log of [first, new StreamLog(path, 1_000)]) {
    const cursor = log.begin();
    const times = [log.read(cursor), log.read(cursor)].map((piece) => piece?.atMs);
    assert.deepEqual(times, [1_000, 2_000]);
    assert.equal(log.read(cursor), undefined);
    log.close();
  }
});

test("times do not go back when the clock does", () => {
  const path = newPath();
  const log = new StreamLog(path, 1_000);
  appendFileSync(path, "one");
  log.look(2_000);
  appendFileSync(path, "two");
  log.look(1_000);
  const cursor = log.begin();
  assert.deepEqual([log.read(cursor)?.atMs, log.read(cursor)?.atMs], [2_000, 2_000]);
});

test("a task that empties its own log loses it, and what it writes next is read", () => {
  const path = newPath();
  const log = new StreamLog(path, 1_000);
  appendFileSync(path, "before");
  log.look(startMs);
  const cursor = log.begin();
  readAll(log, cursor);
  truncateSync(path, 0);
  log.look(startMs + 1);
  appendFileSync(path, "after");
  log.look(startMs + 2);
  assert.equal(readAll(log, cursor), "after");
});

test("a damaged record of times does no harm", () => {
  const path = newPath();
  appendFileSync(path, "text");
  appendFileSync(`${path}.times`, "2 1000\nnonsense\n9 x\n1 5\n");
  const log = new StreamLog(path, 1_000);
  log.look(startMs);
  assert.equal(readAll(log), "text");
});
