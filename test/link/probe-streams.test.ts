import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { protocols } from "../../link/streams.ts";
import { until } from "../until.ts";
import { linkAll, openNode, openPair } from "./links.ts";
import { probe, says, target } from "./probed-nodes.ts";

test("a host whose UDP port is taken goes without, says why, and is seen all the same", async (t) => {
  const [lower, higher] = await openPair(t);
  const holder = createSocket("udp4").bind(0, "127.0.0.1");
  await once(holder, "listening");
  t.after(() => holder.close());
  const taken = holder.address().port;
  const near = await probe(t, lower);
  const far = await probe(t, higher, taken);
  assert.equal(far.probes.port, 0);
  const [problem] = far.probes.problems;
  assert.ok(problem?.code === "port-in-use" && problem.port === taken);
  near.probes.observe([target(higher, far.probes.port)]);
  far.probes.observe([target(lower, near.probes.port)]);
  far.probes.hasten(lower.id);
  await says(near, "reachable");
  await says(far, "reachable");
});

test("a peer that answers with anything else, or with more, did not answer", async (t) => {
  for (const answer of [Buffer.from("8 bytes!"), Buffer.alloc(9), Buffer.alloc(100_000), null]) {
    const [lower, higher] = await openPair(t);
    const near = await probe(t, lower);
    higher.link.serve(protocols.probe, ["node"], (stream) => {
      stream.on("data", () => (answer === null ? stream.end() : stream.write(answer)));
    });
    near.probes.observe([target(higher, 0)]);
    await says(near, "unreachable");
    const { answered, failed } = near.probes.stats().streams;
    assert.equal(answered, 0);
    assert.ok(failed >= 4, `${failed} failures`);
    await near.probes.close();
  }
});

test("answers in pieces are answers, and one that was not asked for is none", async (t) => {
  const [lower, higher] = await openPair(t);
  const near = await probe(t, lower);
  let isLoud = false;
  higher.link.serve(protocols.probe, ["node"], (stream) => {
    stream.on("data", async (question: Buffer) => {
      for (const byte of question) {
        await new Promise((resolve) => stream.write(Buffer.from([byte]), resolve));
      }
      if (isLoud) stream.write(question);
    });
  });
  near.probes.observe([target(higher, 0)]);
  await until(() => near.probes.stats().streams.answered >= 2, 10_000, "answers");
  assert.equal(near.probes.stats().streams.failed, 0);
  isLoud = true;
  await until(() => near.probes.stats().streams.failed >= 1, 10_000, "a failure");
});

test("a peer that opens many streams and floods them holds one, and others are served", async (t) => {
  const [lower, higher, third] = await Promise.all([openNode(t), openNode(t), openNode(t)]);
  await linkAll([lower, higher, third]);
  const near = await probe(t, lower);
  const far = await probe(t, higher);
  const flood = Buffer.alloc(64 * 1024);
  for (let opened = 0; opened < 50; opened++) {
    const stream = await third.link.open(higher.id, protocols.probe);
    // Asks and does not read: what was sent waits at its own end.
    for (let sent = 0; sent < 40; sent++) stream.write(flood);
  }
  await until(() => far.probes.stats().streams.served === 1, 10_000, "one stream");
  near.probes.observe([target(higher, 0)]);
  await says(near, "reachable");
  assert.equal(far.probes.stats().streams.served, 2);
});
