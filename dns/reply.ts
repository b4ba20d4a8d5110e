/**
 * Writes replies: the client's own id and question (so that the case of its letters comes back,
 * which clients use against forgery: draft-vixie-dnsext-dns0x20), then records that are bytes
 * already, then OPT when the query had one.
 *
 * Sources: RFC 1035 section 4.1.1 (header), RFC 6891 section 6 (OPT), RFC 2181 section 9 (TC).
 */

import { type Edns, headerBytes } from "./query.ts";

/** What a reply repeats of its query. */
export type Asked = {
  readonly message: Buffer;
  /** Offset past the question; 12 leaves the question out. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
};

export type Said = {
  readonly rcode: number;
  readonly authoritative: boolean;
  /** Whether this client may ask for names of the world. */
  readonly recursion: boolean;
  readonly truncated: boolean;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  /** The records, of which pointers may only point into the question. */
  readonly records: Buffer;
};

/**
 * What fits into one datagram on every path without fragments (DNS flag day 2020). Larger sizes
 * of clients are not believed: a forged one would make us an amplifier.
 */
export const udpBytesMax = 1232;

/** RFC 1035 section 4.2.1: what a client takes that says nothing. */
const udpBytesPlain = 512;

const tcpBytesMax = 65_535;
const optBytes = 11;
const noRecords = Buffer.alloc(0);

/** How many bytes of records the reply may have. */
export function roomFor({ questionEnd, edns }: Asked, overTcp: boolean): number {
  const limit = overTcp ? tcpBytesMax : udpLimit(edns);
  return limit - questionEnd - (edns === undefined ? 0 : optBytes);
}

export function writeReply(asked: Asked, said: Said): Buffer {
  const { message, questionEnd, edns } = asked;
  const { records, rcode } = said;
  const end = questionEnd + records.length;
  const reply = Buffer.allocUnsafe(end + (edns === undefined ? 0 : optBytes));
  message.copy(reply, 0, 0, questionEnd);
  // QR, the opcode and RD as asked, AA, TC; then RA, CD as asked, the lower rcode. AD stays 0:
  // nothing here is validated.
  const [asked2, asked3] = [message[2] as number, message[3] as number];
  reply[2] = 0x80 | (asked2 & 0x79) | (said.authoritative ? 4 : 0) | (said.truncated ? 2 : 0);
  reply[3] = (said.recursion ? 0x80 : 0) | (asked3 & 0x10) | (rcode & 15);
  reply.writeUInt16BE(questionEnd > headerBytes ? 1 : 0, 4);
  reply.writeUInt16BE(said.answers, 6);
  reply.writeUInt16BE(said.authorities, 8);
  reply.writeUInt16BE(said.additionals + (edns === undefined ? 0 : 1), 10);
  records.copy(reply, questionEnd);
  if (edns !== undefined) writeOpt(reply, end, rcode >> 4, edns.dnssecOk);
  return reply;
}

/** A reply that has a code and no records. */
export function writeEmpty(asked: Asked, rcode: number, recursion: boolean): Buffer {
  return writeReply(asked, { ...emptySaid, rcode, recursion });
}

/** "Ask again over TCP." */
export function writeTruncated(asked: Asked, said: Said): Buffer {
  const { rcode, authoritative, recursion } = said;
  return writeReply(asked, { ...emptySaid, rcode, authoritative, recursion, truncated: true });
}

const emptySaid: Said = {
  rcode: 0,
  authoritative: false,
  recursion: false,
  truncated: false,
  answers: 0,
  authorities: 0,
  additionals: 0,
  records: noRecords,
};

function udpLimit(edns: Edns | undefined): number {
  if (edns === undefined) return udpBytesPlain;
  return Math.min(udpBytesMax, Math.max(udpBytesPlain, edns.payloadBytes));
}

/** Root, type 41, our size as class, then extended rcode, version 0, DO as asked, no options. */
function writeOpt(reply: Buffer, at: number, extendedRcode: number, dnssecOk: boolean): void {
  reply[at] = 0;
  reply.writeUInt16BE(41, at + 1);
  reply.writeUInt16BE(udpBytesMax, at + 3);
  reply[at + 5] = extendedRcode;
  reply[at + 6] = 0;
  reply.writeUInt16BE(dnssecOk ? 0x8000 : 0, at + 7);
  reply.writeUInt16BE(0, at + 9);
}
