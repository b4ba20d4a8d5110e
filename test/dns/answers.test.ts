import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Generations } from "../../dns/generations.ts";
import { clientOf, RateLimit } from "../../dns/rate-limit.ts";
import { RecordRing } from "../../dns/record-ring.ts";
import { query, read } from "./packets.ts";
import { meshServer, seeded } from "./tables.ts";

const services = "shop/web 80/tcp: 1@10.0.0.1";

// Query → reply, byte for byte: what other implementations of DNS get from us.
const golden: [name: string, asked: Buffer, reply: string][] = [
  [
    "an address",
    query("web.shop.MESH", "A"),
    "1234 8580 0001 0001 0000 0000 03776562 0473686f70 044d455348 00 0001 0001" +
      "c00c 0001 0001 00000001 0004 0a000001",
  ],
  [
    "an address, with EDNS",
    query("web.shop.mesh", "A", { edns: 1232 }),
    "1234 8580 0001 0001 0000 0001 03776562 0473686f70 046d657368 00 0001 0001" +
      "c00c 0001 0001 00000001 0004 0a000001 00 0029 04d0 00000000 0000",
  ],
  [
    "a service record",
    query("_80._tcp.web.shop.mesh", "SRV"),
    "1234 8580 0001 0001 0000 0000 035f3830 045f746370 03776562 0473686f70 046d657368 00 0021 0001" +
      "c00c 0021 0001 00000001 0017 0000 0001 0050 0131 03776562 0473686f70 046d657368 00",
  ],
  [
    "no such name",
    query("x.mesh", "A"),
    "1234 8583 0001 0000 0001 0000 0178 046d657368 00 0001 0001 046d657368 00 0006 0001 00000001" +
      "002b 046d657368 00 0a686f73746d6173746572 046d657368 00" +
      "00000001 0000003c 0000003c 00000258 00000001",
  ],
  ["nothing readable", query("x.mesh", "A").subarray(0, 14), "1234 8181 0000 0000 0000 0000"],
  [
    "a wrong version of EDNS",
    query("x.mesh", "A", { edns: 512, version: 1 }),
    "1234 8180 0001 0000 0000 0001 0178 046d657368 00 0001 0001 00 0029 04d0 01000000 0000",
  ],
];

for (const [name, asked, reply] of golden) {
  test(`the bytes for ${name}`, () => {
    const answer = meshServer(services).ask(asked) as Buffer;
    assert.equal(answer.toString("hex"), reply.replaceAll(" ", ""));
  });
}

const many = `default/big 80/tcp: ${Array.from({ length: 100 }, (_, n) => `${n + 1}@10.0.1.${n}`).join(" ")}`;

// How the client asks → bytes at most, records, and whether it is told to come by TCP.
const sizes: [how: string, options: object, overTcp: boolean, max: number, records: string][] = [
  ["without EDNS", {}, false, 512, "16 tc"],
  ["with EDNS of 0", { edns: 0 }, false, 512, "16 tc"],
  ["with EDNS of 512", { edns: 512 }, false, 512, "16 tc"],
  ["with EDNS of 1,232", { edns: 1232 }, false, 1232, "16 tc"],
  ["with EDNS of 65,535", { edns: 65_535 }, false, 1232, "16 tc"],
  ["over TCP", {}, true, 65_535, "100"],
  ["over TCP with EDNS of 512", { edns: 512 }, true, 65_535, "100"],
];

for (const [how, options, overTcp, max, records] of sizes) {
  test(`100 replicas asked for ${how} are ${records}`, () => {
    const reply = meshServer(many).ask(query("big.mesh", "A", options), { overTcp }) as Buffer;
    const { answers, flags } = read(reply);
    assert.ok(reply.length <= max);
    assert.equal(new Set(answers).size, answers.length);
    assert.equal(`${answers.length}${flags.includes("tc") ? " tc" : ""}`, records);
  });
}

test("what fits is not cut: 30 records into 512 bytes, 74 into 1,232", () => {
  const ask = (count: number, options: object) => {
    const endpoints = Array.from({ length: count }, (_, n) => `${n + 1}@10.0.1.${n}`).join(" ");
    const { answers, flags } = read(
      meshServer(`default/big: ${endpoints}`).ask(query("big.mesh", "A", options)) as Buffer,
    );
    return `${answers.length}${flags.includes("tc") ? " tc" : ""}`;
  };
  assert.equal(ask(30, {}), "30");
  assert.equal(ask(31, {}), "16 tc");
  assert.equal(ask(74, { edns: 1232 }), "74");
  assert.equal(ask(75, { edns: 1232 }), "16 tc");
});

test("more than TCP can carry is cut to what it can, at whole records", () => {
  const name = "n".repeat(63);
  const endpoints = Array.from({ length: 900 }, (_, n) => {
    return `${n}x${"r".repeat(59)}@10.0.${n >> 8}.${n & 255}`;
  });
  const server = meshServer(`${name}/${name} 80/tcp: ${endpoints.join(" ")}`);
  const asked = query(`_80._tcp.${name}.${name}.mesh`, "SRV");
  const reply = server.ask(asked, { overTcp: true }) as Buffer;
  assert.ok(reply.length <= 65_535 && reply.length > 65_000, `${reply.length}`);
  assert.ok(read(reply).answers.length < 900);
});

test("each address comes first equally often, so that load spreads", () => {
  const server = meshServer("default/web: 1@10.0.0.1 2@10.0.0.2 3@10.0.0.3");
  const first = new Map<string, number>();
  for (let round = 0; round < 300; round++) {
    const [answer] = read(server.ask(query("web.mesh", "A")) as Buffer).answers as [string];
    first.set(answer, (first.get(answer) ?? 0) + 1);
  }
  assert.deepEqual([...first.values()], [100, 100, 100]);
});

test("two servers begin a service's list in orders of their own", () => {
  const orders = Array.from({ length: 20 }, (_, seed) => {
    const random = seeded(seed);
    const records = ["a", "b", "c", "d", "e"].map((text) => Buffer.from(text));
    return new RecordRing(records, random).next(100).records.toString();
  });
  assert.ok(new Set(orders).size > 10, orders.join(" "));
});

test("a ring gives whole, distinct records within the room there is", () => {
  const records = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(records, fc.nat(700), fc.nat(99), (lengths, room, turns) => {
      // A record of n bytes of value n: distinct, and told apart in what comes out.
      const ring = new RecordRing(
        lengths.map((n) => Buffer.alloc(n, n)),
        seeded(turns),
      );
      const total = lengths.reduce((sum, length) => sum + length, 0);
      for (let turn = 0; turn <= turns % 5; turn++) {
        for (const slice of [ring.next(room), ring.most(room)]) {
          assert.ok(slice.records.length <= room);
          assert.equal(slice.whole, total <= room);
          const seen = recordsIn(slice.records);
          assert.equal(seen.length, slice.count);
          assert.equal(new Set(seen).size, seen.length);
          if (slice.whole) assert.equal(seen.length, lengths.length);
        }
      }
    }),
  );
});

function recordsIn(bytes: Buffer): number[] {
  const seen: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] as number;
    assert.ok(
      bytes.subarray(at, at + length).every((byte) => byte === length),
      "a whole record",
    );
    seen.push(length);
    at += length;
  }
  return seen;
}

test("generations hold no more than their weight, and keep what is asked for", () => {
  const kept = new Generations<number>(100);
  for (let turn = 0; turn < 1000; turn++) {
    kept.set(`key ${turn}`, turn, 10);
    if (turn > 0) assert.equal(kept.get("key 0"), 0, `after ${turn}`);
    assert.ok(kept.size <= 10, `${kept.size}`);
  }
  assert.equal(kept.get("key 500"), undefined);
  kept.set("too heavy", 1, 51);
  assert.equal(kept.get("too heavy"), undefined);
});

test("generations answer what a map would, or nothing", () => {
  const step = fc.tuple(fc.nat(9), fc.option(fc.nat(99)), fc.integer({ min: 1, max: 30 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const [kept, twin] = [new Generations<number>(100), new Map<string, number>()];
      for (const [key, value, weight] of steps) {
        if (value === null) kept.delete(`${key}`);
        else kept.set(`${key}`, value, weight);
        if (value === null) twin.delete(`${key}`);
        else twin.set(`${key}`, value);
        if (value !== null) assert.equal(kept.get(`${key}`), value);
        for (const other of twin.keys()) {
          const found = kept.get(other);
          assert.ok(found === undefined || found === twin.get(other));
        }
      }
    }),
  );
});

test("a client spends its burst, then what it earns, and others are not touched", () => {
  const limit = new RateLimit({ perSecond: 10, burst: 5 });
  const taken = (client: string, nowMs: number, tries: number) => {
    return Array.from({ length: tries }, () => limit.take(client, nowMs)).filter(Boolean).length;
  };
  assert.equal(taken("a", 0, 9), 5);
  assert.equal(taken("b", 0, 9), 5);
  assert.equal(taken("a", 1000, 9), 5, "never more than the burst");
  assert.equal(taken("a", 1250, 9), 2);
});

test("a flood of clients forgets those seen longest ago, and no others", () => {
  const limit = new RateLimit({ perSecond: 1, burst: 1 });
  assert.equal(limit.take("quiet", 0), true);
  assert.equal(limit.take("busy", 0), true);
  for (let client = 0; client < 10_000; client++) {
    limit.take(`flood ${client}`, 0);
    assert.equal(limit.take("busy", 0), false);
  }
  assert.equal(limit.size, 4096);
  assert.equal(limit.take("quiet", 0), true);
});

test("the addresses of one IPv6 network are one client", () => {
  assert.equal(clientOf("fd00:1:2:3::1"), clientOf("fd00:1:2:3:ffff::2"));
  assert.notEqual(clientOf("fd00:1:2:3::1"), clientOf("fd00:1:2:4::1"));
  assert.notEqual(clientOf("10.0.0.1"), clientOf("10.0.0.2"));
});

test("strangers' datagrams are answered for the mesh, seldom enough to harm nobody", () => {
  const server = meshServer("default/web: 1@10.0.0.1");
  const ask = (from: string, overTcp = false) =>
    server.ask(query("web.mesh", "A"), { from, overTcp }) !== undefined;
  const answered = Array.from({ length: 1000 }, () => ask("198.51.100.1")).filter(Boolean).length;
  assert.equal(answered, 50);
  assert.equal(ask("198.51.100.1", true), true, "a connection is proof of the address");
  assert.equal(ask("127.0.0.1"), true);
  server.clock.advance(1000);
  assert.equal(ask("198.51.100.1"), true);
});
