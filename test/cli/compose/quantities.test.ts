import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseBytes,
  parseCpus,
  parseDuration,
  parsePortRange,
} from "../../../cli/compose/quantities.ts";
import { editDistance, nearest } from "../../../cli/compose/suggestion.ts";
import { splitWords } from "../../../cli/compose/words.ts";

const durations: [text: string, ms: number | undefined][] = [
  ["10s", 10_000],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["250ms", 250],
  ["100us", 0],
  ["0", 0],
  ["10", undefined],
  ["s", undefined],
  ["-1s", undefined],
  ["1 m", undefined],
];

test("durations are read as Compose writes them", () => {
  for (const [text, ms] of durations) assert.equal(parseDuration(text), ms, text);
});

const amounts: [text: string, bytes: number | undefined][] = [
  ["512", 512],
  ["64m", 67_108_864],
  ["1gb", 1_073_741_824],
  ["1GiB", 1_073_741_824],
  ["0.5g", 536_870_912],
  ["300k", 307_200],
  ["10b", 10],
  ["x", undefined],
  ["1x", undefined],
  ["99999999999t", undefined],
];

test("bytes are read in powers of 1024", () => {
  for (const [text, bytes] of amounts) assert.equal(parseBytes(text), bytes, text);
});

test("CPUs are thousandths, and never none", () => {
  assert.equal(parseCpus("0.5"), 500);
  assert.equal(parseCpus("2"), 2000);
  assert.equal(parseCpus("0.0001"), undefined);
  assert.equal(parseCpus("half"), undefined);
});

test("port ranges lie within 1 to 65535 and run forwards", () => {
  assert.deepEqual(parsePortRange("80"), [80, 80]);
  assert.deepEqual(parsePortRange("8000-8010"), [8000, 8010]);
  for (const text of ["0", "65536", "10-9", "-", "80-", "a"]) {
    assert.equal(parsePortRange(text), undefined, text);
  }
});

const lines: [line: string, words: string[] | undefined][] = [
  ["nginx -g 'daemon off;'", ["nginx", "-g", "daemon off;"]],
  ['sh -c "echo \\"hi\\" $HOME"', ["sh", "-c", 'echo "hi" $HOME']],
  ["a\\ b c", ["a b", "c"]],
  ["one \\\n two", ["one", "two"]],
  ["''", [""]],
  ["", []],
  ["'open", undefined],
  ['"open', undefined],
];

test("a command line is split as a shell splits it", () => {
  for (const [line, words] of lines) assert.deepEqual(splitWords(line), words, line);
});

test("the nearest word is found across a swap, a gap and an extra letter, and no further", () => {
  const known = ["image", "volumes", "environment", "ports"];
  assert.equal(nearest("iamge", known), "image");
  assert.equal(nearest("volume", known), "volumes");
  assert.equal(nearest("enviroment", known), "environment");
  assert.equal(nearest("banana", known), "");
  assert.equal(editDistance("ab", "ba"), 1);
});
