import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter, Tail } from "../../engine/log-lines.ts";
import type { TaskId } from "../../model/ids.ts";
import type { LogChunk } from "../../ports.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function split(pieces: readonly Uint8Array[]): string[] {
  const splitter = new LineSplitter();
  const lines = pieces.flatMap((piece) => splitter.push(piece));
  const last = splitter.flush();
  return last === undefined ? lines : [...lines, last];
}

const cases: [name: string, text: string, lines: string[]][] = [
  ["nothing", "", []],
  ["a line", "one\n", ["one"]],
  ["a last line without a newline", "one\ntwo", ["one", "two"]],
  ["empty lines", "\n\n", ["", ""]],
  ["a terminal's line ends", "one\r\ntwo\r\n", ["one", "two"]],
  ["a carriage return within a line", "10 %\r20 %\n", ["10 %\r20 %"]],
  ["what is no UTF-8", "\u00ff\n", ["\u00ff"]],
];

for (const [name, text, lines] of cases) {
  test(`${name} is split`, () => assert.deepEqual(split([bytes(text)]), lines));
}

test("lines do not depend on where the bytes were cut", () => {
  const alphabet = fc.constantFrom("a", "é", "🐟", "\n", "\r\n", " ");
  const law = fc.property(fc.array(alphabet), fc.array(fc.nat(8)), (letters, cuts) => {
    const whole = bytes(letters.join(""));
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const cut of cuts) {
      pieces.push(whole.subarray(at, at + cut));
      at += cut;
    }
    pieces.push(whole.subarray(at));
    assert.deepEqual(split(pieces), split([whole]));
  });
  fc.assert(law);
});

test("a line without an end is cut, so that it fills no memory", () => {
  const splitter = new LineSplitter();
  const lines: string[] = [];
  for (let piece = 0; piece < 100; piece++) lines.push(...splitter.push(bytes("x".repeat(10_000))));
  lines.push(splitter.flush() ?? "");
  assert.equal(lines.join(""), "x".repeat(1_000_000));
  assert.ok(lines.every((line) => line.length <= 65_536));
  assert.ok(lines.length < 20);
});

test("bytes that are used again do not change a line that is not complete", () => {
  const splitter = new LineSplitter();
  const buffer = bytes("one");
  splitter.push(buffer);
  buffer.fill(88);
  assert.equal(splitter.flush(), "one");
});

test("a tail is the last so many, as slicing all of them gives", () => {
  const law = fc.property(fc.nat(40), fc.nat(200), (size, count) => {
    const chunks = Array.from({ length: count }, (_, index): LogChunk => {
      return { task: "t" as TaskId, stream: "stdout", atMs: index, line: String(index) };
    });
    const tail = new Tail(size);
    for (const chunk of chunks) tail.push(chunk);
    assert.deepEqual(tail.take(), size === 0 ? [] : chunks.slice(-size));
  });
  fc.assert(law);
});
