import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { labelsOf, readQuery, wireName } from "../../dns/query.ts";
import { responseCode } from "../../dns/record.ts";
import { opt, query, read, wire } from "./packets.ts";
import { meshServer } from "./tables.ts";

const good = query("web.mesh", "A");
const withOpt = query("web.mesh", "A", { edns: 1232 });

/** The packet with some bytes replaced. */
function patch(packet: Buffer, at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(packet);
  copy.set(bytes, at);
  return copy;
}

function header(additionals = 0): Buffer {
  return Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, additionals]);
}

const rest = Buffer.from([0, 1, 0, 1]);
const longest = [63, 63, 63, 61].map((length) => "x".repeat(length)).join(".");

// The packet → the reply's code and whether the question comes back; "silence" for none.
const cases: [name: string, packet: Buffer, outcome: string][] = [
  ["a plain query", good, "NOERROR echoed"],
  ["a query with EDNS", withOpt, "NOERROR echoed"],
  ["an empty packet", Buffer.alloc(0), "silence"],
  ["eleven bytes", good.subarray(0, 11), "silence"],
  ["a response", patch(good, 2, 0x81), "silence"],
  ["a response that is broken", patch(good, 2, 0xff, 0xff), "silence"],
  ["a header alone", good.subarray(0, 12), "FORMERR"],
  ["an update", patch(good, 2, 0x28), "NOTIMP"],
  ["a notification", patch(good, 2, 0x20), "NOTIMP"],
  ["an inverse query", patch(good, 2, 0x08), "NOTIMP"],
  ["no question", patch(good, 4, 0, 0), "FORMERR"],
  ["two questions", patch(good, 4, 0, 2), "FORMERR"],
  ["65,535 questions", patch(good, 4, 0xff, 0xff), "FORMERR"],
  ["an answer", patch(good, 6, 0, 1), "FORMERR"],
  ["an authority", patch(good, 8, 0, 1), "FORMERR"],
  ["two additionals", patch(withOpt, 10, 0, 2), "FORMERR"],
  ["a question cut short", good.subarray(0, good.length - 1), "FORMERR"],
  ["a name cut short", good.subarray(0, 15), "FORMERR"],
  [
    "a pointer in the question",
    Buffer.concat([header(), Buffer.from([0xc0, 12]), rest]),
    "FORMERR",
  ],
  ["a reserved label type", Buffer.concat([header(), Buffer.from([0x40, 0]), rest]), "FORMERR"],
  [
    "a label of 64",
    Buffer.concat([header(), Buffer.from([64]), Buffer.alloc(65), rest]),
    "FORMERR",
  ],
  ["the longest name", Buffer.concat([header(), wire(longest), rest]), "SERVFAIL echoed"],
  ["a longer name", Buffer.concat([header(), wire(`${longest}x`), rest]), "FORMERR"],
  ["the root", query("", "NS"), "SERVFAIL echoed"],
  ["rubbish behind the question", Buffer.concat([good, Buffer.from([0])]), "FORMERR echoed"],
  ["rubbish behind EDNS", Buffer.concat([withOpt, Buffer.from([0])]), "FORMERR echoed"],
  ["EDNS that is promised only", patch(good, 10, 0, 1), "FORMERR echoed"],
  ["EDNS that is not announced", patch(withOpt, 10, 0, 0), "FORMERR echoed"],
  ["an additional that is not EDNS", patch(withOpt, good.length + 2, 1), "FORMERR echoed"],
  ["EDNS of another owner", patch(withOpt, good.length, 1), "FORMERR echoed"],
  ["EDNS cut short", withOpt.subarray(0, withOpt.length - 1), "FORMERR echoed"],
  ["EDNS version 1", query("web.mesh", "A", { edns: 1232, version: 1 }), "BADVERS echoed"],
  ["an option cut short", withOption(Buffer.from([0, 10, 0, 8, 1])), "FORMERR echoed"],
  ["half an option", withOption(Buffer.from([0, 10])), "FORMERR echoed"],
  ["a cookie", withOption(Buffer.from([0, 10, 0, 2, 1, 2])), "NOERROR echoed"],
  ["a question for OPT", query("web.mesh", "OPT"), "FORMERR echoed"],
  ["type 0", query("web.mesh", 0), "FORMERR echoed"],
  ["a transfer", query("mesh", "AXFR"), "REFUSED echoed"],
  ["an incremental transfer", query("mesh", 251), "REFUSED echoed"],
  ["class CHAOS", query("version.bind", "TXT", { klass: 3 }), "REFUSED echoed"],
  ["class ANY", query("web.mesh", "A", { klass: 255 }), "REFUSED echoed"],
  ["class 0", query("web.mesh", "A", { klass: 0 }), "REFUSED echoed"],
  ["an unknown type", query("web.mesh", 65_280), "NOERROR echoed"],
  ["a query of 4,096 bytes", padded(4096), "NOERROR echoed"],
  ["a query of 4,097 bytes", padded(4097), "FORMERR"],
  ["a name of zeros and dots", query("a", "A", {}).fill(0, 13, 14), "NXDOMAIN echoed"],
];

for (const [name, packet, outcome] of cases) {
  test(`${name} gets ${outcome}`, () => {
    const server = meshServer("default/web: 1@10.0.0.1");
    const reply = server.ask(packet);
    if (reply === undefined) return assert.equal("silence", outcome);
    const { id, rcode, edns, question, flags } = read(reply);
    const code = rcode + 16 * Number(/rcode (\d+)/.exec(edns)?.[1] ?? 0);
    const words = Object.entries(responseCode).find(([, number]) => number === code)?.[0];
    assert.equal(question === "" ? words : `${words} echoed`, outcome);
    assert.equal(id, 0x1234);
    assert.match(flags, /^qr/);
  });
}

test("a reply repeats RD and CD and never claims to have validated", () => {
  const server = meshServer("default/web: 1@10.0.0.1");
  const ask = (flags: number) =>
    read(server.ask(query("web.mesh", "A", { flags })) as Buffer).flags;
  assert.equal(ask(0x0000), "qr aa ra");
  assert.equal(ask(0x0100), "qr aa rd ra");
  assert.equal(ask(0x0130), "qr aa rd ra cd");
  // TC and AA of a query mean nothing.
  assert.equal(ask(0x0600), "qr aa ra");
});

test("EDNS is answered by EDNS: our size, DO as it was, and no option", () => {
  const server = meshServer("default/web: 1@10.0.0.1");
  const ask = (options: object) => read(server.ask(query("web.mesh", "A", options)) as Buffer).edns;
  assert.equal(ask({}), "");
  assert.equal(ask({ edns: 4096 }), "size 1232 rcode 0");
  assert.equal(ask({ edns: 4096, dnssecOk: true }), "size 1232 rcode 0 do");
  assert.equal(ask({ edns: 4096, version: 7 }), "size 1232 rcode 1");
});

test("the letters of a question come back as they were (0x20)", () => {
  const server = meshServer("default/web: 1@10.0.0.1");
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }), (upper) => {
      const mixed = [..."web.default.mesh"].map((letter, index) => {
        return upper[index] ? letter.toUpperCase() : letter;
      });
      const name = mixed.join("");
      const reply = read(server.ask(query(name, "A")) as Buffer);
      assert.equal(reply.question, `${name} 1 1`);
      assert.deepEqual(reply.answers, [`${name} 1 A 10.0.0.1`]);
    }),
  );
});

test("a name's labels and its wire form belong together", () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
  fc.assert(
    fc.property(fc.array(label, { maxLength: 8 }), (labels) => {
      assert.deepEqual(labelsOf(wireName(labels.join("."))), labels);
      assert.equal(wireName(labels.join(".")), wire(labels.join(".")).toString("latin1"));
    }),
  );
});

test("what is read is what was asked, whatever bytes the labels have", () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
  const labels = fc.array(label, { maxLength: 3 });
  fc.assert(
    fc.property(labels, fc.integer({ min: 1, max: 40 }), (bytes, type) => {
      const name = Buffer.concat(bytes.flatMap((part) => [Buffer.from([part.length]), part]));
      const question = Buffer.concat([name, Buffer.from([0, 0, type, 0, 1])]);
      const asked = readQuery(Buffer.concat([header(), question]));
      assert.ok(asked.kind === "query");
      assert.equal(asked.type, type);
      assert.equal(asked.questionEnd, 12 + question.length);
      const lower = bytes.map((part) => Buffer.from(part).toString("latin1").toLowerCase());
      assert.deepEqual(labelsOf(asked.name), lower);
    }),
  );
});

function withOption(option: Buffer): Buffer {
  const record = opt(1232);
  record.writeUInt16BE(option.length, 9);
  return Buffer.concat([patch(good, 11, 1), record, option]);
}

/** Padded as RFC 7830 has it, to so many bytes in all. */
function padded(bytes: number): Buffer {
  const room = bytes - good.length - 11 - 4;
  return withOption(
    Buffer.concat([Buffer.from([0, 12, room >> 8, room & 255]), Buffer.alloc(room)]),
  );
}
