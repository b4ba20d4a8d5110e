import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { packRecord, RecordReader } from "../../link/records.ts";

const bytesMax = 64;
const record = fc.uint8Array({ minLength: 1, maxLength: bytesMax });

test("records come out as they went in, however the stream was cut", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(record), cuts, (records, sizes) => {
      const stream = Buffer.concat(records.map(packRecord));
      const reader = new RecordReader(bytesMax);
      const found: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] as number;
        found.push(...(reader.push(stream.subarray(at, at + size)) ?? assert.fail("refused")));
        at += size;
      }
      assert.deepEqual(
        found,
        records.map((one) => new Uint8Array(one)),
      );
    }),
  );
});

test("any bytes are read as a plain reader of the whole would, or refused", () => {
  const anything = fc.array(fc.oneof(record.map(packRecord), fc.uint8Array({ maxLength: 12 })));
  fc.assert(
    fc.property(anything, (parts) => {
      const stream = new Uint8Array(Buffer.concat(parts));
      assert.deepEqual(new RecordReader(bytesMax).push(stream), readWhole(stream));
    }),
  );
});

test("a record keeps nothing of the chunk it came in alive", () => {
  const chunk = new Uint8Array(65_536);
  chunk.set(packRecord(Uint8Array.of(1, 2, 3)));
  const [found] = new RecordReader(bytesMax).push(chunk.subarray(0, 7)) ?? [];
  assert.equal(found?.buffer.byteLength, 3);
});

const refused: [name: string, bytes: number[]][] = [
  ["an empty record", [0, 0, 0, 0]],
  ["a record one byte too long", [0, 0, 0, bytesMax + 1]],
  ["a length of four gigabytes", [255, 255, 255, 255]],
  ["a request of another protocol", [...Buffer.from("GET / HTTP/1.1")]],
];

for (const [name, bytes] of refused) {
  test(`${name} is refused before it is waited for`, () => {
    assert.equal(new RecordReader(bytesMax).push(Uint8Array.from(bytes)), undefined);
  });
}

/** The slow twin: looks at all bytes at once. */
function readWhole(stream: Uint8Array): Uint8Array[] | undefined {
  const found: Uint8Array[] = [];
  const view = Buffer.from(stream);
  for (let at = 0; at + 4 <= view.length; ) {
    const length = view.readUInt32BE(at);
    if (length === 0 || length > bytesMax) return undefined;
    if (at + 4 + length > view.length) break;
    found.push(stream.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}
