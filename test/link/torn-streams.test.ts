/** A connection may end in the very moment in which a stream is opened on it. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from "@libp2p/interface";
import { multiaddrConnectionPair } from "@libp2p/utils";
import { yamux } from "@libp2p/yamux";
import { guarded } from "../../link/secure-transport.ts";
import { until } from "../until.ts";
import { admitAll, linkAll, openNodes, type TestNode } from "./links.ts";

test("what a muxer throws of a connection that has ended aborts it, and reaches nobody", async () => {
  const gone = new Error("Cannot write to a stream that is closed");
  let aborted: Error | undefined;
  let isCut = false;
  const connection = { abort: () => (isCut = true) } as unknown as MessageStream;
  const muxer = {
    send: () => {
      throw gone;
    },
    abort: (error: Error) => {
      aborted = error;
    },
  };
  const factory = { protocol: "/test", createStreamMuxer: () => muxer as unknown as StreamMuxer };
  const made = guarded(factory as StreamMuxerFactory).createStreamMuxer(connection);
  assert.equal((made as unknown as typeof muxer).send(), false);
  await until(() => aborted === gone, 1_000, "the abort");
  assert.ok(isCut, "the connection first");
});

test("a stream that is opened as its connection ends is aborted, and nothing is thrown", async () => {
  const [connection] = multiaddrConnectionPair();
  const muxer = guarded(yamux()()).createStreamMuxer(connection);
  const stream = await Promise.resolve(muxer.createStream());
  const ended = once(stream, "close");
  // Another one, whose first word comes a turn after the end.
  const last = muxer.createStream();
  void connection.close();
  await Promise.allSettled([last, ended]);
  assert.equal(muxer.status, "closed");
});

test("links that are torn while streams are opened on them leave everybody alive", async (t) => {
  const [one, other] = (await openNodes(t, 2)) as [TestNode, TestNode];
  admitAll([one, other]);
  other.link.serve("/test/1", ["node"], (stream) => stream.resume());
  for (let round = 0; round < 20; round++) {
    await linkAll([one, other]);
    const opened = Array.from({ length: 10 }, async (_, turns) => {
      // At another turn of the loop each, so that one of them meets the end.
      for (let turn = 0; turn < turns; turn++) await null;
      const stream = await one.link.open(other.id, "/test/1");
      stream.on("error", () => undefined);
      stream.destroy();
    });
    for (let turn = 0; turn < round % 8; turn++) await null;
    one.link.abort(other.id);
    await Promise.allSettled(opened);
  }
  await linkAll([one, other]);
});
