import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { Channel, mergeByTime } from "../../api/channel.ts";

test("a writer waits for the reader, and what it wrote comes in order", async () => {
  const channel = new Channel<number>();
  let written = 0;
  const writing = (async () => {
    for (; written < 200; written++) await channel.push(written);
    channel.end();
  })();
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.ok(written < 40, `${written} written without a reader`);
  const read: number[] = [];
  for await (const item of channel) read.push(item);
  await writing;
  assert.deepEqual(
    read,
    Array.from({ length: 200 }, (_, index) => index),
  );
});

test("no writer starves another", async () => {
  const channel = new Channel<string>();
  const pour = async (name: string) => {
    for (let count = 0; count < 1_000 && !channel.ended; count++) await channel.push(name);
  };
  const writers = [pour("a"), pour("b"), pour("c")];
  const counts: Record<string, number> = {};
  let read = 0;
  for await (const name of channel) {
    counts[name] = (counts[name] ?? 0) + 1;
    if (++read === 600) break;
  }
  await Promise.all(writers);
  for (const name of ["a", "b", "c"]) assert.ok((counts[name] ?? 0) > 100, JSON.stringify(counts));
});

test("a reader that leaves lets all writers go", async () => {
  const channel = new Channel<number>();
  const writers = [1, 2, 3].map(async () => {
    while (!channel.ended) await channel.push(1);
  });
  for await (const _ of channel) break;
  await Promise.all(writers);
});

test("an error comes after what was written before it, and only the first counts", async () => {
  const channel = new Channel<number>();
  await channel.push(1);
  channel.end(new Error("first"));
  channel.end(new Error("second"));
  const read: number[] = [];
  await assert.rejects(async () => {
    for await (const item of channel) read.push(item);
  }, /first/);
  assert.deepEqual(read, [1]);
});

test("merging sorted sources gives all their items sorted", async () => {
  const source = fc.array(fc.nat(20)).map((times) => times.sort((a, b) => a - b));
  await fc.assert(
    fc.asyncProperty(fc.array(source), async (sources) => {
      const merged: number[] = [];
      const iterables = sources.map(async function* (times) {
        for (const atMs of times) yield { atMs };
      });
      for await (const { atMs } of mergeByTime(iterables)) merged.push(atMs);
      assert.deepEqual(
        merged,
        sources.flat().sort((a, b) => a - b),
      );
    }),
  );
});

test("whoever leaves a merge leaves all its sources", async () => {
  let left = 0;
  const source = async function* () {
    try {
      for (let atMs = 0; ; atMs++) yield { atMs };
    } finally {
      left++;
    }
  };
  for await (const _ of mergeByTime([source(), source(), source()])) break;
  assert.equal(left, 3);
});
