/**
 * Reads a query and says what is wrong with it, before anything else sees a byte: dns2's own
 * parser follows pointer chains for seconds (one 65 KB packet cost 3.9 s) and leaves checks to its
 * caller. One pass over the bytes, no pointer is ever followed, nothing is copied.
 *
 * Sources: RFC 1035 section 4.1 (message), RFC 6891 section 6 (EDNS), RFC 9619 (one question).
 */

import { classIn, recordType, responseCode } from "./record.ts";

export type Query = {
  readonly kind: "query";
  readonly message: Buffer;
  /** Offset just past the question, which begins at 12. */
  readonly questionEnd: number;
  /** The name in wire form with its final zero, as Latin-1, in lower case. */
  readonly name: string;
  readonly type: number;
  readonly edns: Edns | undefined;
};

export type Edns = {
  /** What the client says it takes over UDP; unchecked. */
  readonly payloadBytes: number;
  readonly dnssecOk: boolean;
};

export type Misread = Readonly<
  /** Not to be answered at all: an answer itself, or too short to have an id. */
  | { kind: "drop" }
  /** `questionEnd` is 12 when the question could not be read and is not echoed. */
  | { kind: "refuse"; message: Buffer; rcode: number; questionEnd: number; edns: Edns | undefined }
>;

export const headerBytes = 12;

/** Queries have no reason to be longer: a name, a question, and padding (RFC 8467) at the most. */
export const queryBytesMax = 4096;

const nameBytesMax = 255;

export function readQuery(message: Buffer): Query | Misread {
  // A response is never answered, or two servers would talk to each other for ever.
  if (message.length < headerBytes || byteAt(message, 2) & 0x80) return { kind: "drop" };
  if (byteAt(message, 2) & 0x78) return refuse(message, responseCode.NOTIMP);
  if (message.length > queryBytesMax || !hasOneQuestion(message)) {
    return refuse(message, responseCode.FORMERR);
  }
  const nameEnd = skipPlainName(message, headerBytes);
  const questionEnd = nameEnd + 4;
  if (nameEnd < 0 || questionEnd > message.length) return refuse(message, responseCode.FORMERR);
  const type = message.readUInt16BE(nameEnd);
  const edns = readEdns(message, questionEnd);
  if (edns === "malformed") return refuse(message, responseCode.FORMERR, questionEnd);
  if (edns?.version) return refuse(message, responseCode.BADVERS, questionEnd, edns);
  const rcode = judge(type, message.readUInt16BE(nameEnd + 2));
  if (rcode !== responseCode.NOERROR) return refuse(message, rcode, questionEnd, edns);
  const name = message.toString("latin1", headerBytes, nameEnd).toLowerCase();
  return { kind: "query", message, questionEnd, name, type, edns };
}

/** The labels of a name as `Query.name` has it, most specific first. */
export function labelsOf(name: string): string[] {
  const labels: string[] = [];
  for (let at = 0; at < name.length - 1; ) {
    const length = name.charCodeAt(at);
    labels.push(name.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels;
}

/** The opposite, for names of ours: "web.mesh" to its wire form. */
export function wireName(text: string): string {
  const labels = text.split(".").filter((label) => label !== "");
  return `${labels.map((label) => String.fromCharCode(label.length) + label).join("")}\0`;
}

/** One question, no records but one OPT. Signed queries (TSIG) are not for us. */
function hasOneQuestion(message: Buffer): boolean {
  return (
    message.readUInt16BE(4) === 1 && message.readUInt32BE(6) === 0 && message.readUInt16BE(10) <= 1
  );
}

/** The offset past a name that has no pointers, or -1. */
function skipPlainName(message: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = message[at];
    // 64 and up are pointers (RFC 1035 section 4.1.4) or reserved.
    if (length === undefined || length > 63) return -1;
    at += 1 + length;
    if (at - start > nameBytesMax) return -1;
    if (length === 0) return at;
  }
}

/** What follows the question: nothing, or exactly one OPT record that ends the message. */
function readEdns(
  message: Buffer,
  at: number,
): (Edns & { readonly version: number }) | undefined | "malformed" {
  if (message.readUInt16BE(10) === 0) return at === message.length ? undefined : "malformed";
  if (message.length < at + 11 || message[at] !== 0) return "malformed";
  if (message.readUInt16BE(at + 1) !== recordType.OPT) return "malformed";
  if (!areOptions(message, at + 11, message.readUInt16BE(at + 9))) return "malformed";
  return {
    payloadBytes: message.readUInt16BE(at + 3),
    version: byteAt(message, at + 6),
    dnssecOk: (byteAt(message, at + 7) & 0x80) !== 0,
  };
}

function areOptions(message: Buffer, start: number, length: number): boolean {
  if (start + length !== message.length) return false;
  let at = start;
  while (at + 4 <= message.length) at += 4 + message.readUInt16BE(at + 2);
  return at === message.length;
}

function judge(type: number, klass: number): number {
  if (type === recordType.OPT || type === 0) return responseCode.FORMERR;
  // Transfers, transactions and the obsolete mail types are questions that nobody may ask here.
  if (type >= recordType.TKEY && type <= recordType.MAILA) return responseCode.REFUSED;
  return klass === classIn ? responseCode.NOERROR : responseCode.REFUSED;
}

function refuse(message: Buffer, rcode: number, questionEnd = headerBytes, edns?: Edns): Misread {
  return { kind: "refuse", message, rcode, questionEnd, edns };
}

function byteAt(message: Buffer, at: number): number {
  return message[at] as number;
}
