import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type Duplex, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { finished, pipeline } from "node:stream/promises";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { whenDrained } from "../../link/stream-duplex.ts";
import { until } from "../until.ts";
import {
  admitAll,
  areLinked,
  deadlineMs,
  newPair,
  openNode,
  openPair,
  openStream,
} from "./links.ts";
import { openWire } from "./wire.ts";

const megabyte = 1024 * 1024;

test("20 MB arrive intact at a reader that is slower, and nobody hoards them", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  const total = 20 * megabyte;
  const sent = createHash("sha256");
  let written = 0;
  const source = Readable.from(
    (function* () {
      for (; written < total; written += 65_536) {
        const chunk = randomBytes(65_536);
        sent.update(chunk);
        yield chunk;
      }
    })(),
  );
  const writing = pipeline(source, ours);
  const received = createHash("sha256");
  let read = 0;
  let ahead = 0;
  for await (const chunk of theirs.iterator({ destroyOnReturn: false })) {
    received.update(chunk);
    read += chunk.length;
    ahead = Math.max(ahead, written - read);
    // Slower than the writer: it gets several turns of the loop to each of ours.
    for (let turns = 0; turns < 4; turns++) await turn();
  }
  theirs.end();
  await writing;
  assert.equal(read, total);
  assert.equal(received.digest("hex"), sent.digest("hex"));
  // A window on the way, the read buffer, and what Node holds at both ends.
  assert.ok(ahead < 14 * megabyte, `${ahead} bytes ahead`);
});

test("a reader that stops stops the writer, for as long as it likes, and loses nothing", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  let accepted = 0;
  const chunk = randomBytes(65_536);
  const fill = async (): Promise<void> => {
    while (ours.write(chunk)) {
      accepted += chunk.length;
      await turn();
    }
    accepted += chunk.length;
  };
  // Reads a little and stops, over and over: each time the window has grown a little.
  let read = 0;
  theirs.on("data", (data: Buffer) => {
    read += data.length;
    theirs.pause();
  });
  for (let round = 0; round < 40; round++) {
    await fill();
    theirs.resume();
    await until(() => theirs.isPaused(), deadlineMs, "the reader has had some and stopped");
    assert.ok(accepted - read < 14 * megabyte, `${accepted - read} bytes ahead`);
  }
  assert.equal(ours.destroyed || theirs.destroyed, false);
  theirs.removeAllListeners("data");
  theirs.on("data", (data: Buffer) => {
    read += data.length;
  });
  theirs.resume();
  ours.end();
  await once(theirs, "end");
  assert.equal(read, accepted);
});

test("a writer that waits for drain as told keeps little, however often it waited", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  theirs.pause();
  let accepted = 0;
  const chunk = randomBytes(65_536);
  const isStuck = async (): Promise<boolean> => {
    for (let turns = 0; turns < 50; turns++) await turn();
    return ours.writableNeedDrain;
  };
  while (!(ours.writableNeedDrain && (await isStuck()))) {
    ours.write(chunk);
    accepted += chunk.length;
    if (ours.writableNeedDrain) await Promise.race([once(ours, "drain"), isStuck()]);
    assert.ok(accepted < 14 * megabyte, `${accepted} bytes accepted by nobody who reads`);
  }
  theirs.destroy();
});

const halves: [name: string, who: (pair: [Duplex, Duplex]) => [Duplex, Duplex]][] = [
  ["who opened it", ([ours, theirs]) => [ours, theirs]],
  ["who accepted it", ([ours, theirs]) => [theirs, ours]],
];

for (const [name, order] of halves) {
  test(`${name} may end its side and still be answered`, async (t) => {
    const [a, b] = await openPair(t);
    const [asks, answers] = order(await openStream(a, b));
    asks.end("question");
    assert.equal((await buffer(iterate(answers))).toString(), "question");
    const long = randomBytes(3 * megabyte);
    answers.end(long);
    assert.deepEqual(await buffer(iterate(asks)), long);
    await Promise.all([finished(asks), finished(answers)]);
  });

  test(`a reset by ${name} is an error on the other side, never an end`, async (t) => {
    const [a, b] = await openPair(t);
    const [resets, other] = order(await openStream(a, b));
    resets.write("half of a");
    await once(other, "data");
    const ended = finished(other);
    resets.destroy();
    await assert.rejects(ended, { code: "ECONNRESET" });
    assert.equal(other.readableEnded, false);
  });
}

test("what is torn with its connection is an error on both sides, never an end", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  ours.write("half of a");
  await once(theirs, "data");
  const both = [ours, theirs].map((stream) => assert.rejects(finished(stream)));
  a.link.abort(b.id);
  await Promise.all(both);
  assert.deepEqual([ours.readableEnded, theirs.readableEnded], [false, false]);
});

test("what ends because its process died is an error, though TCP calls it an end", async (t) => {
  const [low, high] = newPair();
  const lower = await openNode(t, { identity: low });
  const higher = await openNode(t, { identity: high });
  const wire = await openWire(t, higher.link.listenAddresses()[0] as string);
  admitAll([lower, higher]);
  lower.link.maintain([{ node: higher.id, addresses: [wire.address] }]);
  await until(() => areLinked([lower, higher]), deadlineMs, "linked");
  const [ours, theirs] = await openStream(lower, higher);
  ours.write("half of a");
  await once(theirs, "data");
  const both = [ours, theirs].map((stream) =>
    assert.rejects(finished(stream), { code: "ECONNABORTED" }),
  );
  wire.cut();
  await Promise.all(both);
  assert.deepEqual([ours.readableEnded, theirs.readableEnded], [false, false]);
});

test("a drain that the stream's own buffer uses up at once is none", async () => {
  const stream = Object.assign(new EventTarget(), { writableNeedsDrain: true });
  let called = 0;
  whenDrained(stream as unknown as Stream, () => {
    called += 1;
  });
  stream.dispatchEvent(new Event("drain"));
  await turn();
  assert.equal(called, 0);
  stream.writableNeedsDrain = false;
  stream.dispatchEvent(new Event("drain"));
  stream.dispatchEvent(new Event("drain"));
  await turn();
  assert.equal(called, 1);
});

test("an agent that stops tears its streams rather than end them", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  ours.write("half of a");
  await once(theirs, "data");
  const torn = assert.rejects(finished(theirs), { code: "ECONNABORTED" });
  await a.link.close();
  await torn;
  assert.equal(theirs.readableEnded, false);
});

test("a side that ended and then loses its peer hears of it", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  ours.end("question");
  await buffer(iterate(theirs));
  theirs.write("half of an ans");
  await once(ours, "data");
  const both = [ours, theirs].map((stream) => assert.rejects(finished(stream)));
  b.link.abort(a.id);
  await Promise.all(both);
});

test("a reset that nobody listens for stops nothing", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  ours.write("x");
  await once(theirs, "data");
  ours.destroy(new Error("on purpose"));
  await until(() => theirs.destroyed, deadlineMs, "the other side is gone as well");
});

test("hundreds of streams live side by side, far above the usual limit", async (t) => {
  const [a, b] = await openPair(t);
  b.link.serve("/test/many/1", ["node"], (stream) => stream.pipe(stream));
  const count = 300;
  const streams = await Promise.all(
    Array.from({ length: count }, () => a.link.open(b.id, "/test/many/1")),
  );
  const answers = streams.map(async (stream, index) => {
    stream.end(`stream ${index}`);
    return (await buffer(iterate(stream))).toString();
  });
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: count }, (_, index) => `stream ${index}`),
  );
});

test("a stream may end with many small writes before it is read", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(a, b);
  const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}\n`);
  for (const line of lines) ours.write(line);
  ours.end();
  assert.equal((await buffer(iterate(theirs))).toString(), lines.join(""));
});

/** Leaves the writing side alone, which a plain loop would destroy. */
function iterate(stream: Duplex): AsyncIterable<Buffer> {
  return stream.iterator({ destroyOnReturn: false });
}
