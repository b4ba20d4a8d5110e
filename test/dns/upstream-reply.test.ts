import assert from "node:assert/strict";
import { test } from "node:test";
import { type Query, readQuery } from "../../dns/query.ts";
import { writeReply } from "../../dns/reply.ts";
import { passOn, readReply } from "../../dns/upstream-reply.ts";
import { opt, query, read, replyTo, soaData, type TestRecord } from "./packets.ts";

const asked = query("Example.com", "A");
const parsed = readQuery(asked) as Query;

function a(ttl: number, last = 1): TestRecord {
  return { type: 1, ttl, data: Buffer.from([192, 0, 2, last]) };
}

function soa(ttl: number, minimum: number): TestRecord {
  return { type: 6, ttl, data: soaData(minimum) };
}

const noSuchName = 0x8183;

// A reply → how long it may be kept, seconds.
const lives: [name: string, reply: Buffer, ttlS: number][] = [
  ["the least of its TTLs", replyTo(asked, { answers: [a(300), a(60, 2)] }), 60],
  ["the glue's as well", replyTo(asked, { answers: [a(300)], additionals: [a(10)] }), 10],
  ["a day at the most", replyTo(asked, { answers: [a(999_999)] }), 86_400],
  ["not at all with TTL 0", replyTo(asked, { answers: [a(0)] }), 0],
  ["not at all with a negative TTL", replyTo(asked, { answers: [a(0x80000001)] }), 0],
  ["the SOA's minimum for no data", replyTo(asked, { authorities: [soa(600, 30)] }), 30],
  ["the SOA's TTL when less", replyTo(asked, { authorities: [soa(20, 30)] }), 20],
  ["five minutes for any no", replyTo(asked, { authorities: [soa(9999, 9999)] }), 300],
  [
    "the SOA's minimum for no name",
    replyTo(asked, { authorities: [soa(600, 30)], flags: noSuchName }),
    30,
  ],
  [
    "no name behind an alias as no name",
    replyTo(asked, { answers: [a(20)], authorities: [soa(600, 30)], flags: noSuchName }),
    20,
  ],
  ["not at all when a no has no SOA", replyTo(asked, { flags: noSuchName }), 0],
  ["not at all when it failed", replyTo(asked, { flags: 0x8182 }), 0],
  ["not at all when refused", replyTo(asked, { answers: [a(60)], flags: 0x8185 }), 0],
];

for (const [name, reply, ttlS] of lives) {
  test(`kept for ${name}`, () => {
    assert.equal(readReply(reply, 0x1234, parsed)?.ttlS, ttlS);
  });
}

const good = replyTo(asked, { answers: [a(60)] });

const disbelieved: [name: string, reply: Buffer][] = [
  ["an empty packet", Buffer.alloc(0)],
  ["our own question", asked],
  ["another id", replyTo(query("Example.com", "A", { id: 1 }), { answers: [a(60)] })],
  ["another name", replyTo(query("Example.org", "A"), { answers: [a(60)] })],
  ["another type", replyTo(query("Example.com", "AAAA"), { answers: [a(60)] })],
  ["another class", replyTo(query("Example.com", "A", { klass: 3 }), { answers: [a(60)] })],
  ["another opcode", replyTo(asked, { answers: [a(60)], flags: 0x8980 })],
  ["a record cut short", good.subarray(0, good.length - 1)],
  ["a record that is promised only", patched(good, 7, 2)],
  ["no question", patched(good, 5, 0)],
  ["EDNS as an answer", replyTo(asked, { answers: [{ type: 41, ttl: 0, data: Buffer.alloc(0) }] })],
  ["a name without end", replyTo(asked, { answers: [{ ...a(1), owner: Buffer.alloc(400, 63) }] })],
  ["a reserved label", replyTo(asked, { answers: [{ ...a(1), owner: Buffer.from([0x80, 1]) }] })],
];

for (const [name, reply] of disbelieved) {
  test(`${name} is not believed`, () => {
    assert.equal(readReply(reply, 0x1234, parsed), undefined);
  });
}

test("a question that comes back in other letters is the same question", () => {
  const lower = replyTo(query("example.com", "A"), { answers: [a(60)] });
  assert.equal(readReply(lower, 0x1234, parsed)?.answers, 1);
});

test("a truncated reply is known even when it is cut within a record", () => {
  const cut = patched(good, 2, 0x83).subarray(0, good.length - 3);
  const reply = readReply(cut, 0x1234, parsed);
  assert.deepEqual([reply?.truncated, reply?.answers, reply?.records.length], [true, 0, 0]);
});

test("a passed reply has the client's letters, older TTLs and no OPT of others", () => {
  const upstream = replyTo(query("example.com", "A"), {
    answers: [a(60), a(30, 2)],
    authorities: [soa(5, 5)],
    additionals: [a(99, 3), { type: 41, ttl: 0, data: Buffer.alloc(0), owner: Buffer.from([0]) }],
  });
  const reply = readReply(upstream, 0x1234, parsed);
  assert.ok(reply !== undefined);
  const young = read(writeReply(parsed, passOn(reply, 0)));
  assert.equal(young.question, "Example.com 1 1");
  assert.equal(young.flags, "qr rd ra");
  assert.equal(young.edns, "");
  assert.deepEqual(young.additionals, ["Example.com 99 A 192.0.2.3"]);
  const old = read(writeReply(parsed, passOn(reply, 10)));
  assert.deepEqual(old.answers, ["Example.com 50 A 192.0.2.1", "Example.com 20 A 192.0.2.2"]);
  assert.match(old.authorities[0] as string, /^Example.com 0 SOA/);
  assert.deepEqual(
    read(writeReply(parsed, passOn(reply, 0))),
    young,
    "the kept one is not changed",
  );
});

test("codes above 15 come from OPT", () => {
  const badVersion = Buffer.concat([replyTo(asked, {}), opt(1232)]);
  badVersion[11] = 1;
  badVersion[badVersion.length - 6] = 1;
  assert.equal(readReply(badVersion, 0x1234, parsed)?.rcode, 16);
});

function patched(packet: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(packet);
  copy[at] = byte;
  return copy;
}
