/** A removed node that calls is told why nobody talks to it, and gets nothing else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { protocols } from "../../link/streams.ts";
import { until } from "../until.ts";
import { deadlineMs, newIdentity, newPair, openNode } from "./links.ts";
import { dialRaw } from "./raw.ts";

const told = [new Uint8Array([1, 2, 3]), new Uint8Array([4])];

for (const caller of ["lower", "higher"] as const) {
  test(`a removed node of the ${caller} key hears the farewell as frames`, async (t) => {
    const pair = newPair();
    const [removed, staying] = caller === "lower" ? pair : [pair[1], pair[0]];
    const node = await openNode(t, { identity: staying });
    node.link.admitGuests((id) => (id === removed.id ? "removed" : undefined));
    node.link.onFarewell(() => told);
    const gone = await openNode(t, { identity: removed });
    gone.link.admit(new Set([node.id]));
    gone.link.maintain([{ node: node.id, addresses: node.link.listenAddresses() }]);
    await until(() => gone.heard.length >= told.length, deadlineMs, "the farewell");
    assert.deepEqual(
      gone.heard.slice(0, told.length).map(({ frame }) => [...frame]),
      told.map((frame) => [...frame]),
    );
    gone.link.broadcast(new Uint8Array([9]));
    await until(() => node.link.counts().connections === 0, deadlineMs, "the end of its stay");
    assert.deepEqual([node.heard, node.events, node.link.linked()], [[], [], []]);
    assert.ok(node.link.counts().farewells >= 1);
  });
}

test("one that says no hello hears nothing, and nobody but a removed one hears it", async (t) => {
  const node = await openNode(t);
  const [removed, person] = [newIdentity(), newIdentity()];
  node.link.admitGuests((id) => (id === removed.id ? "removed" : "person"));
  node.link.onFarewell(() => told);
  for (const identity of [removed, person]) {
    const { connection } = await dialRaw(t, identity, node);
    const stream = await connection.newStream(protocols.frames);
    let heard = 0;
    stream.addEventListener("message", () => heard++);
    try {
      stream.send(new Uint8Array([0, 0, 0, 2, 1, 1]));
    } catch {
      // The person's is reset already.
    }
    await until(() => stream.status !== "open", deadlineMs, "the end of the stream");
    assert.equal(heard, 0);
  }
  assert.equal(node.link.counts().farewells, 0);
});
