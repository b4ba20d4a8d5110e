/** The whole state of a mesh through the API: all of it, or a problem. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openClient } from "../../api/client.ts";
import { people, revoke } from "./fake-backend.ts";
import { openApis } from "./mesh-of-apis.ts";

const revisions = Array.from({ length: 5_000 }, (_, index) => {
  return new Uint8Array(index === 0 ? 1024 * 1024 : 500).fill(index % 256);
});

test("an admin gets every fact and every revision, over a link and over the socket", async () => {
  const apis = await openApis();
  try {
    const [{ backend }] = apis.apis;
    backend.revisions = revisions;
    for (const client of [await apis.overLink(people.admin), await apis.overSocket()]) {
      const got = await client.backup();
      assert.deepEqual(got.facts, backend.trustFacts());
      assert.equal(got.revisions.length, revisions.length);
      for (const [index, bytes] of got.revisions.entries()) {
        assert.equal(Buffer.compare(bytes, revisions[index] as Uint8Array), 0);
      }
    }
  } finally {
    await apis.close();
  }
});

test("an admin who is one no more in the middle of it gets no backup", async () => {
  const apis = await openApis();
  try {
    const [{ backend }] = apis.apis;
    const one = new Uint8Array(10);
    backend.revisions = Object.assign([one, one], {
      *[Symbol.iterator]() {
        yield one;
        backend.learn(revoke(people.admin));
        yield one;
      },
    });
    const client = await apis.overLink(people.admin);
    await assert.rejects(client.backup(), /needs the role admin/);
    assert.equal(backend.listeners.size, 0);
  } finally {
    await apis.close();
  }
});

// What an agent says before it ends, or is cut off.
const short: [name: string, lines: readonly unknown[]][] = [
  ["that is empty", []],
  ["without its end", [{ fact: "AAAA" }]],
  ["with less than its end says", [{ fact: "AAAA" }, { end: { facts: 2, revisions: 0 } }]],
  ["with more than its end says", [{ revision: "AAAA" }, { end: { facts: 0, revisions: 0 } }]],
];
for (const [name, lines] of short) {
  test(`a backup ${name} is none`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "shoal-backup-"));
    const socket = join(directory, "api.sock");
    const server = createServer((_request, response) => {
      response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const client = await openClient({ unix: socket });
    try {
      await assert.rejects(client.backup(), /the backup ended before its end/);
    } finally {
      await client.close();
      server.close();
      rmSync(directory, { recursive: true });
    }
  });
}
