import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode, encode } from "../../crdt/codec.ts";
import { hex } from "../../crdt/hash.ts";
import { bytesOf, mutated } from "./bytes.ts";

const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }));
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -30, max: 300 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
);
const leaf = fc.oneof(text, number, fc.boolean(), fc.constant(null), fc.uint8Array());
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.oneof(fc.string({ maxLength: 4 }), fc.constant("__proto__")), tie("value"), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  ),
}));

test("what is encoded is decoded to the same", () => {
  fc.assert(
    fc.property(value, (one) => assert.deepEqual(decode(encode(one)), one)),
    {
      numRuns: 5000,
    },
  );
});

test("equal values have equal bytes, whatever the order in which their keys were set", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 5 }), { maxLength: 8 }), (keys) => {
      const forth = Object.fromEntries(keys.map((key) => [key, key.length]));
      const back = Object.fromEntries(keys.toReversed().map((key) => [key, key.length]));
      assert.deepEqual(encode(forth), encode(back));
    }),
  );
});

const foreign: readonly [what: string, bytes: string, value: unknown][] = [
  ["an integer", "1818", 24],
  ["an integer in more bytes than it needs", "1801", undefined],
  ["a fraction", "fb3ff8000000000000", 1.5],
  ["a fraction in four bytes", "fa3fc00000", undefined],
  ["a fraction in two bytes", "f93e00", undefined],
  ["a whole number as a fraction", "fb3ff0000000000000", undefined],
  ["minus nought", "fb8000000000000000", undefined],
  ["no number", "fb7ff8000000000000", undefined],
  ["infinity", "fb7ff0000000000000", undefined],
  ["the greatest integer that is one", "1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
  ["an integer past those", "1b0020000000000000", undefined],
  ["the least integer that is one", "3b001ffffffffffffe", Number.MIN_SAFE_INTEGER],
  ["an integer below those", "3b001fffffffffffff", undefined],
  ["sorted keys", "a2616101616201", { a: 1, b: 1 }],
  ["unsorted keys", "a2616201616101", undefined],
  ["short keys first", "a2616201626161 01", { b: 1, aa: 1 }],
  ["long keys first", "a262616101616201", undefined],
  ["one key twice", "a2616101616101", undefined],
  ["a key that is a number", "a10101", undefined],
  ["a key that is bytes", "a1416101", undefined],
  ["a list without its length", "9f01ff", undefined],
  ["bytes in pieces", "5f4101ff", undefined],
  ["nothing at all", "", undefined],
  ["undefined", "f7", undefined],
  ["a simple value of no meaning", "e0", undefined],
  ["a simple value in two bytes", "f820", undefined],
  ["a link", `d82a582500017112${"20"}${"00".repeat(32)}`, undefined],
  ["another tag", "c101", undefined],
  ["text that is no text", "62c328", undefined],
  ["half a surrogate pair", "63eda080", undefined],
  ["two values", "0101", undefined],
  ["a list cut short", "8201", undefined],
  ["a text cut short", "6261", undefined],
  ["a list that claims four thousand million", "9affffffff01", undefined],
  ["a map that claims more than numbers count", "bbffffffffffffffff", undefined],
  ["bytes that claim more than numbers count", "5bffffffffffffffff00", undefined],
];

for (const [what, bytes, expected] of foreign) {
  test(`${what} is ${expected === undefined ? "refused" : "read"}`, () => {
    assert.deepEqual(decode(bytesOf(bytes)), expected);
  });
}

test("nesting is bounded, so that no stack is", () => {
  const nested = (depth: number) => bytesOf(`${"81".repeat(depth)}00`);
  assert.notEqual(decode(nested(30)), undefined);
  assert.equal(decode(nested(33)), undefined);
  assert.equal(decode(nested(1_000_000)), undefined);
  assert.equal(decode(bytesOf(`${"a16161".repeat(500_000)}00`)), undefined);
});

test("what is longer than allowed is not looked at", () => {
  const bytes = encode(new Uint8Array(1000));
  assert.equal(decode(bytes, bytes.length - 1), undefined);
  assert.deepEqual(decode(bytes, bytes.length), new Uint8Array(1000));
});

test("a hundred thousand random and mutated inputs are refused or canonical, and none throws", () => {
  const seeds = fc.sample(value, { numRuns: 300, seed: 1 }).map((one) => encode(one));
  let read = 0;
  for (const bytes of mutated(seeds, 100_000, 7)) {
    const decoded = decode(bytes);
    if (decoded === undefined) continue;
    read++;
    assert.equal(hex(encode(decoded)), hex(bytes));
  }
  assert.ok(read > 3000 && read < 90_000, `${read} were read`);
});

test("a value shares no memory with what it was read from being changed later", () => {
  const bytes = encode({ name: "web", list: [1, 2, 3] });
  const decoded = decode(bytes);
  bytes.fill(0);
  assert.deepEqual(decoded, { name: "web", list: [1, 2, 3] });
});
