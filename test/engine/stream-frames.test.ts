import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  FrameReader,
  LogReader,
  readTerminalLine,
  type StampedLine,
  type StreamName,
} from "../../engine/docker/stream-frames.ts";

const at = "2026-09-01T10:11:12.345678901Z";
const atMs = Date.UTC(2026, 8, 1, 10, 11, 12, 345);

function frame(stream: StreamName, text: string): Uint8Array {
  const data = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + data.length);
  bytes[0] = stream === "stderr" ? 2 : 1;
  new DataView(bytes.buffer).setUint32(4, data.length);
  bytes.set(data, 8);
  return bytes;
}

function read(bytes: Uint8Array, cuts: readonly number[] = []): StampedLine[] {
  const log = new LogReader();
  const lines: StampedLine[] = [];
  let from = 0;
  for (const cut of cuts) {
    lines.push(...log.push(bytes.subarray(from, from + cut)));
    from += cut;
  }
  lines.push(...log.push(bytes.subarray(from)), ...log.flush());
  return lines;
}

test("frames become lines of their streams with their times", () => {
  const bytes = Buffer.concat([frame("stdout", `${at} one\n`), frame("stderr", `${at} two\n`)]);
  assert.deepEqual(read(bytes), [
    { stream: "stdout", atMs, line: "one" },
    { stream: "stderr", atMs, line: "two" },
  ]);
});

test("a long line in several frames is one line with the time of its beginning", () => {
  const later = at.replace("10:11", "10:12");
  const bytes = Buffer.concat([frame("stdout", `${at} one `), frame("stdout", `${later} line\n`)]);
  assert.deepEqual(read(bytes), [{ stream: "stdout", atMs, line: "one line" }]);
});

test("the streams' lines do not run into each other", () => {
  const bytes = Buffer.concat([
    frame("stdout", `${at} out`),
    frame("stderr", `${at} err\n`),
    frame("stdout", `${at} put\n`),
  ]);
  assert.deepEqual(
    read(bytes).map(({ stream, line }) => `${stream} ${line}`),
    ["stderr err", "stdout output"],
  );
});

test("an empty line is a line", () => {
  assert.deepEqual(read(frame("stdout", `${at} \n`)), [{ stream: "stdout", atMs, line: "" }]);
});

test("lines do not depend on where the bytes were cut", () => {
  const line = fc.record(
    {
      stream: fc.constantFrom<StreamName>("stdout", "stderr"),
      text: fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, "")),
    },
    { noNullPrototype: true },
  );
  const law = fc.property(fc.array(line), fc.array(fc.nat(30)), (lines, cuts) => {
    const bytes = Buffer.concat(lines.map(({ stream, text }) => frame(stream, `${at} ${text}\n`)));
    assert.deepEqual(
      read(bytes, cuts).map(({ stream, line: text }) => ({ stream, text })),
      lines,
    );
  });
  fc.assert(law);
});

test("no bytes whatever break it, and none grow without bound", () => {
  const law = fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
    const log = new LogReader();
    for (const chunk of chunks) log.push(chunk);
    log.flush();
  });
  fc.assert(law);
});

test("an exec's bytes pass as they come, without waiting for the end of a frame", () => {
  const frames = new FrameReader();
  const bytes = frame("stderr", "hello");
  assert.deepEqual(frames.push(bytes.subarray(0, 10)).map(said), ["stderr he true"]);
  assert.deepEqual(frames.push(bytes.subarray(10)).map(said), ["stderr llo false"]);
});

function said({ stream, data, isFirst }: ReturnType<FrameReader["push"]>[number]): string {
  return `${stream} ${new TextDecoder().decode(data)} ${isFirst}`;
}

test("a terminal's lines bear their time in front", () => {
  assert.deepEqual(readTerminalLine(`${at} $ ls`), { stream: "stdout", atMs, line: "$ ls" });
  assert.equal(readTerminalLine("no time").line, "no time");
});
