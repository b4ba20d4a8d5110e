/**
 * What an upstream server says, checked and made fit to be kept and passed on. Records are passed
 * as they came: writing them anew would lose types and options that we do not know. One pass over
 * the bytes finds the TTLs; names are skipped and no pointer is ever followed.
 *
 * Sources: RFC 1035 section 4.1; RFC 2181 section 5.4.1 (what may be believed); RFC 2308 sections 3
 * and 5 (how long a "no" is kept); RFC 5452 section 9.1 (which replies to believe); RFC 6891.
 */

import { ownCopy } from "./generations.ts";
import { headerBytes, type Query } from "./query.ts";
import { recordType, responseCode } from "./record.ts";
import type { Said } from "./reply.ts";

export type UpstreamReply = {
  readonly rcode: number;
  readonly truncated: boolean;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  /** All records up to OPT, which is between two servers only and is not passed on. */
  readonly records: Buffer;
  /** Offsets of TTLs in `records`. */
  readonly ttlOffsets: Uint16Array;
  /** How long it may be kept, seconds; 0 for not at all. */
  readonly ttlS: number;
};

/** A day is long for an address; most resolvers cap so. A "no" is worth less (RFC 2308). */
const ttlMaxS = 86_400;
const negativeTtlMaxS = 300;

/** Undefined when this is no answer to `query` sent with `id`: forged, late or broken. */
export function readReply(reply: Buffer, id: number, query: Query): UpstreamReply | undefined {
  if (reply.length < query.questionEnd || !isReplyTo(reply, id, query)) return undefined;
  const truncated = ((reply[2] as number) & 2) !== 0;
  // Nothing of a truncated reply is used, and its last record may be cut.
  const counts = [6, 8, 10].map((at) => (truncated ? 0 : reply.readUInt16BE(at)));
  const walk = walkRecords(reply, query.questionEnd, counts);
  if (walk === undefined) return undefined;
  const [answers, authorities, additionals] = walk.kept;
  const rcode = ((reply[3] as number) & 15) | (walk.extendedRcode << 4);
  return {
    rcode,
    truncated,
    answers,
    authorities,
    additionals,
    records: ownCopy(reply.subarray(query.questionEnd, walk.end)),
    ttlOffsets: Uint16Array.from(walk.ttlOffsets),
    ttlS: keepableS(rcode, answers, walk),
  };
}

/** The reply as the client gets it, `ageS` after it came. */
export function passOn(reply: UpstreamReply, ageS: number): Said {
  const records = ageS === 0 ? reply.records : aged(reply, ageS);
  const { rcode, answers, authorities, additionals } = reply;
  const flags = { authoritative: false, recursion: true, truncated: false };
  return { rcode, ...flags, answers, authorities, additionals, records };
}

function aged({ records, ttlOffsets }: UpstreamReply, ageS: number): Buffer {
  const copy = Buffer.from(records);
  for (const offset of ttlOffsets) {
    copy.writeUInt32BE(Math.max(0, copy.readUInt32BE(offset) - ageS), offset);
  }
  return copy;
}

/** QR set, the id and the very question, letters in any case: some servers lower them. */
function isReplyTo(reply: Buffer, id: number, { name, questionEnd, message }: Query): boolean {
  if (reply.readUInt16BE(0) !== id || reply.readUInt16BE(4) !== 1) return false;
  if (((reply[2] as number) & 0xf8) !== 0x80) return false;
  const nameEnd = questionEnd - 4;
  if (reply.toString("latin1", headerBytes, nameEnd).toLowerCase() !== name) return false;
  return reply.compare(message, nameEnd, questionEnd, nameEnd, questionEnd) === 0;
}

type Walk = {
  /** Records before OPT, by section. */
  readonly kept: [number, number, number];
  /** Offset past the last of them. */
  readonly end: number;
  /** From the end of the question on. */
  readonly ttlOffsets: readonly number[];
  readonly extendedRcode: number;
  readonly ttlMinS: number;
  /** Of the SOA in the authority section, undefined without one. */
  readonly negativeTtlS: number | undefined;
};

/** Stops at OPT: what stands behind it is additional and can be done without. */
function walkRecords(reply: Buffer, start: number, counts: readonly number[]): Walk | undefined {
  const kept: [number, number, number] = [0, 0, 0];
  const ttlOffsets: number[] = [];
  let [at, ttlMinS, extendedRcode] = [start, ttlMaxS, 0];
  let negativeTtlS: number | undefined;
  sections: for (const section of [0, 1, 2] as const) {
    for (let index = 0; index < (counts[section] as number); index++) {
      const record = readRecord(reply, at);
      if (record === undefined) return undefined;
      if (record.type === recordType.OPT) {
        if (section !== 2) return undefined;
        extendedRcode = reply[record.ttlAt] as number;
        break sections;
      }
      ttlOffsets.push(record.ttlAt - start);
      // RFC 2181 section 8: a TTL with the highest bit is 0.
      const ttlS = record.ttlS > 0x7fffffff ? 0 : record.ttlS;
      ttlMinS = Math.min(ttlMinS, ttlS);
      if (section === 1 && record.type === recordType.SOA && record.end - record.dataAt >= 22) {
        negativeTtlS = Math.min(ttlS, reply.readUInt32BE(record.end - 4));
      }
      kept[section]++;
      at = record.end;
    }
  }
  return { kept, end: at, ttlOffsets, extendedRcode, ttlMinS, negativeTtlS };
}

type RecordPlace = {
  readonly type: number;
  readonly ttlAt: number;
  readonly ttlS: number;
  readonly dataAt: number;
  readonly end: number;
};

function readRecord(reply: Buffer, start: number): RecordPlace | undefined {
  const nameEnd = skipName(reply, start);
  const dataAt = nameEnd + 10;
  if (nameEnd < 0 || dataAt > reply.length) return undefined;
  const end = dataAt + reply.readUInt16BE(nameEnd + 8);
  if (end > reply.length) return undefined;
  const ttlAt = nameEnd + 4;
  const type = reply.readUInt16BE(nameEnd);
  return { type, ttlAt, ttlS: reply.readUInt32BE(ttlAt), dataAt, end };
}

/** A name ends with a zero or with a pointer. */
function skipName(reply: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = reply[at];
    if (length === undefined) return -1;
    if (length >= 0xc0) return at + 2;
    if (length > 63 || at - start > 255) return -1;
    at += 1 + length;
    if (length === 0) return at;
  }
}

function keepableS(rcode: number, answers: number, walk: Walk): number {
  if (rcode === responseCode.NOERROR && answers > 0) return walk.ttlMinS;
  if (rcode !== responseCode.NOERROR && rcode !== responseCode.NXDOMAIN) return 0;
  // A "no" without SOA must not be kept (RFC 2308 section 5).
  return Math.min(walk.negativeTtlS ?? 0, walk.ttlMinS, negativeTtlMaxS);
}
