import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DatagramReader, datagramBytesMax, frameDatagram } from "../../lb/datagrams.ts";
import { encodeHeader, parseHeader } from "../../lb/forward-header.ts";
import type { TaskId } from "../../model/ids.ts";
import type { PortKey } from "../../model/spec.ts";

function readAll(reader: DatagramReader, chunks: readonly Buffer[]): Buffer[] | undefined {
  const read: Buffer[] = [];
  for (const chunk of chunks) {
    // Copied, as whoever sends them on at once does not.
    if (!reader.read(chunk, (datagram) => read.push(Buffer.from(datagram)))) return undefined;
  }
  return read;
}

/** Cuts at the given places, in whatever order they come. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...sorted, bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test("datagrams come out as they went in, wherever the stream is cut", () => {
  const datagrams = fc.array(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)));
  fc.assert(
    fc.property(datagrams, fc.array(fc.nat()), (sent, places) => {
      const bytes = Buffer.concat(sent.map(frameDatagram));
      assert.deepEqual(readAll(new DatagramReader(), cut(bytes, places)), sent);
    }),
  );
});

test("an empty datagram is delivered at once, not with the next one", () => {
  assert.deepEqual(readAll(new DatagramReader(), [Buffer.of(0, 0)]), [Buffer.alloc(0)]);
  assert.deepEqual(readAll(new DatagramReader(), [Buffer.of(0), Buffer.of(0)]), [Buffer.alloc(0)]);
});

test("the largest datagram passes, byte by byte, and a larger one ends the reading", () => {
  const largest = Buffer.alloc(datagramBytesMax, "x");
  const bytes = [...frameDatagram(largest)].map((byte) => Buffer.of(byte));
  assert.deepEqual(readAll(new DatagramReader(), bytes), [largest]);
  assert.equal(readAll(new DatagramReader(), [Buffer.of(0xff, 0xff)]), undefined);
  assert.equal(readAll(new DatagramReader(), [Buffer.of(0xff), Buffer.of(0xe4)]), undefined);
});

const headers: readonly (readonly [string, string])[] = [
  ["shop/web.1.k3j9x0a2bq7z", "80/tcp"],
  ["default/a.12D3KooWabcDEF.000000000000", "65535/udp"],
  [`${"s".repeat(63)}/${"n".repeat(63)}.${"1".repeat(52)}.k3j9x0a2bq7z`, "65535/tcp"],
];

for (const [task, port] of headers) {
  test(`a header names ${task.slice(0, 40)} ${port} and is read back`, () => {
    const encoded = encodeHeader({ task: task as TaskId, port: port as PortKey });
    assert.equal(encoded[0], encoded.length - 1);
    assert.deepEqual(parseHeader(encoded.subarray(1)), { task, port });
  });
}

test("a header that would not fit is a bug", () => {
  const task = `shop/${"n".repeat(300)}.1.k3j9x0a2bq7z` as TaskId;
  assert.throws(() => encodeHeader({ task, port: "80/tcp" }), /too long/);
});

for (const text of [
  "",
  " ",
  "shop/web.1.k3j9x0a2bq7z",
  "shop/web.1.k3j9x0a2bq7z 80",
  "shop/web.1.k3j9x0a2bq7z 080/tcp",
  "shop/web.1.k3j9x0a2bq7z 800000/tcp",
  "shop/web.1.k3j9x0a2bq7z 80/tcp ",
  "shop/web.1.k3j9x0a2bq7z 80/tcp\n",
  "shop/web.1.k3j9x0a2bq7z  80/tcp",
  "shop/web.1 80/tcp",
  "127.0.0.1:22 22/tcp",
  "__proto__ 80/tcp",
]) {
  test(`${JSON.stringify(text)} is no header`, () => {
    assert.equal(parseHeader(Buffer.from(text)), undefined);
  });
}
