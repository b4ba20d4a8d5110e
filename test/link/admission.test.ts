import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { test } from "node:test";
import { Admission } from "../../link/admission.ts";
import { type Guest, protocols } from "../../link/streams.ts";
import type { NodeId } from "../../model/ids.ts";
import { until } from "../until.ts";
import { deadlineMs, newIdentity, openNode, openPair, openStream } from "./links.ts";
import { dialRaw } from "./raw.ts";

test("a stranger's key is refused once noise has proven it, and leaves nothing behind", async (t) => {
  const node = await openNode(t);
  const { connection } = await dialRaw(t, newIdentity(), node);
  await until(() => connection.status !== "open", deadlineMs, "it is cut off");
  assert.equal(node.link.counts().keysRefused, 1);
  assert.equal(node.link.counts().connections, 0);
});

test("an admitted key with another mesh's secret completes no handshake", async (t) => {
  const node = await openNode(t);
  const identity = newIdentity();
  node.link.admit(new Set([identity.id as NodeId]));
  const other = new Uint8Array(randomBytes(32));
  await assert.rejects(dialRaw(t, identity, node, other));
  assert.equal(node.link.counts().connections, 0);
  const { connection } = await dialRaw(t, identity, node);
  await until(() => node.link.counts().connections === 1, deadlineMs, "the right secret works");
  assert.equal(connection.status, "open");
});

test("who is no longer admitted is cut off, its streams with it, and may not come back", async (t) => {
  const [a, b] = await openPair(t);
  const [ours, theirs] = await openStream(b, a);
  ours.write("x");
  await once(theirs, "data");
  const torn = [ours, theirs].map((stream) => assert.rejects(finished(stream)));
  a.link.admit(new Set([a.id]));
  await Promise.all(torn);
  await until(() => a.link.linked().length + b.link.linked().length === 0, 500, "both are down");
  await until(() => a.link.counts().keysRefused > 1, deadlineMs, "it tries, and is refused");
  assert.deepEqual(a.events.slice(1), [`down ${b.id}`]);
});

const guests: [kind: Guest, allowed: string[]][] = [
  ["person", [protocols.api]],
  ["invite", [protocols.join]],
  ["node", [protocols.api, protocols.forward]],
];

for (const [kind, allowed] of guests) {
  test(`a guest that is a ${kind} opens what is served to it, and nothing else`, async (t) => {
    const node = await openNode(t);
    const identity = newIdentity();
    if (kind === "node") node.link.admit(new Set([identity.id as NodeId]));
    node.link.admitGuests((id) => (id === identity.id ? kind : undefined));
    const from: string[] = [];
    const served: [protocol: string, guests: Guest[]][] = [
      [protocols.api, ["person", "node"]],
      [protocols.join, ["invite"]],
      [protocols.forward, ["node"]],
    ];
    for (const [protocol, kinds] of served) {
      node.link.serve(protocol, kinds, (stream, id) => {
        from.push(id);
        stream.end("welcome");
      });
    }
    const { connection } = await dialRaw(t, identity, node);
    const opened: string[] = [];
    for (const [protocol] of served) {
      const stream = await connection.newStream(protocol);
      let isWelcome = false;
      stream.addEventListener("message", () => {
        isWelcome = true;
      });
      const isSettled = () => isWelcome || stream.status === "reset";
      await until(isSettled, deadlineMs, "welcome, or reset");
      if (isWelcome) opened.push(protocol);
    }
    assert.deepEqual(opened, allowed);
    assert.deepEqual(
      from,
      allowed.map(() => identity.id),
    );
    assert.equal(node.link.counts().streamsRefused, served.length - allowed.length);
  });
}

for (const protocol of [protocols.frames, "/meshsub/1.2.0"]) {
  test(`${protocol} is no guest's, whatever else it may do`, async (t) => {
    const node = await openNode(t);
    const identity = newIdentity();
    node.link.admitGuests(() => "person");
    const { connection } = await dialRaw(t, identity, node);
    const stream = await connection.newStream(protocol);
    await until(() => stream.status !== "open", deadlineMs, "it is reset");
    assert.equal(node.link.counts().streamsRefused, 1);
    assert.deepEqual(node.events, []);
  });
}

test("a guest whose standing ends is cut off at the next look, without a new connection", async (t) => {
  const node = await openNode(t);
  let standing: Guest | undefined = "person";
  node.link.admitGuests(() => standing);
  node.link.serve(protocols.api, ["person"], (stream) => stream.end("welcome"));
  const { connection } = await dialRaw(t, newIdentity(), node);
  await connection.newStream(protocols.api);
  standing = undefined;
  const late = await connection.newStream(protocols.api);
  await until(() => late.status !== "open", deadlineMs, "no new stream");
  assert.equal(connection.status, "open");
  node.link.admit(new Set());
  await until(() => connection.status !== "open", deadlineMs, "cut off");
});

test("one guest's key has only so many connections", async (t) => {
  const node = await openNode(t);
  const identity = newIdentity();
  node.link.admitGuests(() => "person");
  const dials = Array.from({ length: 80 }, () => dialRaw(t, identity, node));
  await Promise.allSettled(dials);
  await until(() => node.link.counts().keysRefused === 16, deadlineMs, "the rest are refused");
  assert.equal(node.link.counts().connections, 64);
});

test("only the admitted set makes a node", () => {
  const admission = new Admission();
  admission.admitGuests(() => "node");
  assert.equal(admission.kindOf("anyone"), undefined);
  admission.admitNodes(new Set(["node-1" as NodeId]));
  assert.equal(admission.kindOf("node-1"), "node");
});
