/**
 * Packets for tests: queries as clients write them, replies as upstream servers write them, and a
 * reader that is strict, slow and shares nothing with dns/.
 */

import assert from "node:assert/strict";

export type QueryOptions = {
  readonly id?: number;
  /** The header's second word; recursion desired when left out. */
  readonly flags?: number;
  readonly klass?: number;
  /** Adds an OPT record with this payload size. */
  readonly edns?: number;
  readonly version?: number;
  readonly dnssecOk?: boolean;
};

export const types: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  AXFR: 252,
  ANY: 255,
};

export function wire(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const parts = labels.map((label) => Buffer.from([label.length, ...Buffer.from(label, "latin1")]));
  return Buffer.concat([...parts, Buffer.alloc(1)]);
}

/** `type` by name or by number. */
export function query(name: string, type: string | number, options: QueryOptions = {}): Buffer {
  const typeNumber = typeof type === "number" ? type : (types[type] as number);
  const { id = 0x1234, flags = 0x0100, klass = 1, edns } = options;
  const header = words(id, flags, 1, 0, 0, edns === undefined ? 0 : 1);
  const question = Buffer.concat([wire(name), words(typeNumber, klass)]);
  if (edns === undefined) return Buffer.concat([header, question]);
  return Buffer.concat([header, question, opt(edns, options.version, options.dnssecOk)]);
}

export function opt(size: number, version = 0, dnssecOk = false): Buffer {
  const fixed = Buffer.from([0, 0, 41, size >> 8, size & 255, 0, version, dnssecOk ? 128 : 0, 0]);
  return Buffer.concat([fixed, words(0)]);
}

export type TestRecord = {
  readonly type: number;
  readonly ttl: number;
  readonly data: Buffer;
  /** Wire form; a pointer to the question when left out. */
  readonly owner?: Buffer;
};

/** A reply to `asked` (a query without EDNS) with the records given. */
export function replyTo(
  asked: Buffer,
  parts: {
    readonly answers?: readonly TestRecord[];
    readonly authorities?: readonly TestRecord[];
    readonly additionals?: readonly TestRecord[];
    readonly flags?: number;
  },
): Buffer {
  const { answers = [], authorities = [], additionals = [], flags = 0x8180 } = parts;
  const counts = [answers, authorities, additionals].map((section) => section.length);
  const header = words(asked.readUInt16BE(0), flags, 1, ...counts);
  const records = [...answers, ...authorities, ...additionals].map(encodeRecord);
  return Buffer.concat([header, asked.subarray(12, questionEnd(asked)), ...records]);
}

export function encodeRecord({ type, ttl, data, owner }: TestRecord): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner ?? Buffer.from([0xc0, 12]), fixed, data]);
}

/** An SOA's data, of which only the last number means anything here. */
export function soaData(minimum: number): Buffer {
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32BE(minimum, 16);
  return Buffer.concat([wire("ns.test"), wire("admin.test"), numbers]);
}

export function questionEnd(message: Buffer): number {
  let at = 12;
  while (message[at] !== 0) at += 1 + (message[at] as number);
  return at + 5;
}

export type Read = {
  readonly id: number;
  readonly flags: string;
  readonly rcode: number;
  /** "name type class" with the letters as they are; "" without. */
  readonly question: string;
  /** "name ttl type data", by section; data in a notation of its own for known types. */
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  readonly additionals: readonly string[];
  /** "" without OPT. */
  readonly edns: string;
  /** The first byte after the last record. */
  readonly end: number;
};

/** Reads all of a message; asserts that it is well formed to its last byte. */
export function read(message: Buffer): Read {
  assert.ok(message.length >= 12, "a header");
  const word = message.readUInt16BE(2);
  const counts = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  let at = 12;
  let question = "";
  assert.ok((counts[0] as number) <= 1, "at most one question");
  if (counts[0] === 1) {
    const name = readName(message, at);
    question = `${name.text} ${message.readUInt16BE(name.end)} ${message.readUInt16BE(name.end + 2)}`;
    at = name.end + 4;
  }
  let edns = "";
  const sections = counts.slice(1).map((count) => {
    const records: string[] = [];
    for (let index = 0; index < count; index++) {
      const record = readRecord(message, at);
      at = record.end;
      if (record.type === 41) edns += record.text;
      else records.push(record.text);
    }
    return records;
  });
  assert.equal(at, message.length, "nothing behind the last record");
  const [answers, authorities, additionals] = sections as [string[], string[], string[]];
  const flags = flagNames.filter(([, bit]) => (word & bit) !== 0).map(([name]) => name);
  return {
    id: message.readUInt16BE(0),
    flags: flags.join(" "),
    rcode: word & 15,
    question,
    answers,
    authorities,
    additionals,
    edns,
    end: at,
  };
}

const flagNames: readonly (readonly [string, number])[] = [
  ["qr", 0x8000],
  ["aa", 0x0400],
  ["tc", 0x0200],
  ["rd", 0x0100],
  ["ra", 0x0080],
  ["ad", 0x0020],
  ["cd", 0x0010],
];

function readRecord(message: Buffer, start: number): { text: string; type: number; end: number } {
  const owner = readName(message, start);
  const type = message.readUInt16BE(owner.end);
  const klass = message.readUInt16BE(owner.end + 2);
  const ttl = message.readUInt32BE(owner.end + 4);
  const length = message.readUInt16BE(owner.end + 8);
  const dataAt = owner.end + 10;
  const end = dataAt + length;
  assert.ok(end <= message.length, "data within the message");
  if (type === 41) {
    assert.equal(owner.text, ".");
    const dnssecOk = (ttl & 0x8000) !== 0 ? " do" : "";
    return { text: `size ${klass} rcode ${ttl >>> 24}${dnssecOk}`, type, end };
  }
  assert.equal(klass, 1);
  const data = readData(message, type, dataAt, end);
  return { text: `${owner.text} ${ttl} ${data}`, type, end };
}

function readData(message: Buffer, type: number, at: number, end: number): string {
  const bytes = message.subarray(at, end);
  switch (type) {
    case 1:
      assert.equal(bytes.length, 4);
      return `A ${bytes.join(".")}`;
    case 28:
      assert.equal(bytes.length, 16);
      return `AAAA ${bytes.toString("hex").replaceAll(/(.{4})(?=.)/g, "$1:")}`;
    case 2:
      return `NS ${nameToEnd(message, at, end)}`;
    case 12:
      return `PTR ${nameToEnd(message, at, end)}`;
    case 16:
      return `TXT ${readStrings(bytes).join("|")}`;
    case 33: {
      assert.ok((message[at + 6] as number) < 64, "SRV targets are not compressed (RFC 2782)");
      const [priority, weight, port] = [0, 2, 4].map((offset) => bytes.readUInt16BE(offset));
      return `SRV ${priority} ${weight} ${port} ${nameToEnd(message, at + 6, end)}`;
    }
    case 6: {
      const primary = readName(message, at);
      const admin = readName(message, primary.end);
      assert.equal(admin.end + 20, end);
      const numbers = [0, 4, 8, 12, 16].map((offset) => message.readUInt32BE(admin.end + offset));
      return `SOA ${primary.text} ${admin.text} ${numbers.join(" ")}`;
    }
    default:
      return `TYPE${type} ${bytes.toString("hex")}`;
  }
}

function readStrings(bytes: Buffer): string[] {
  const strings: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] as number;
    assert.ok(at + 1 + length <= bytes.length);
    strings.push(bytes.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return strings;
}

function nameToEnd(message: Buffer, at: number, end: number): string {
  const name = readName(message, at);
  assert.equal(name.end, end, "a name that fills its data");
  return name.text;
}

/** Follows pointers, backwards only. */
function readName(message: Buffer, start: number): { text: string; end: number } {
  const labels: string[] = [];
  let [at, end, limit] = [start, -1, start];
  for (;;) {
    const length = message[at];
    assert.ok(length !== undefined, "a name within the message");
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
      assert.ok(at < limit, "pointers lead backwards");
      limit = at;
      continue;
    }
    assert.ok(length < 64, "a label's length");
    at += 1 + length;
    if (length === 0) break;
    assert.ok(at <= message.length, "a label within the message");
    labels.push(message.toString("latin1", at - length, at));
  }
  assert.ok(labels.join(".").length <= 254, "a name's length");
  return { text: labels.join(".") || ".", end: end < 0 ? at : end };
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}
