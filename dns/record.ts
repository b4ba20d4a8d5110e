/**
 * What the zone says, before it is bytes. Type numbers are IANA's ("Domain Name System (DNS)
 * Parameters"); names are lower-case text without a final dot.
 */

export const recordType = {
  A: 1,
  NS: 2,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  TKEY: 249,
  MAILA: 254,
  ANY: 255,
} as const;

/** The Internet: the one class there is here. */
export const classIn = 1;

export const responseCode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Extended: its high bits stand in the OPT record (RFC 6891 section 9). */
  BADVERS: 16,
} as const;

export type ZoneRecord = Readonly<
  | { kind: "A" | "AAAA"; address: string }
  | { kind: "NS"; target: string }
  | { kind: "PTR"; target: string }
  /** Each string is at most 255 bytes of ASCII. */
  | { kind: "TXT"; strings: readonly string[] }
  | { kind: "SRV"; port: number; target: string }
  | { kind: "SOA"; serial: number }
  /** The one record that ANY gets (RFC 8482 section 4.2). */
  | { kind: "HINFO" }
>;

/** The top of our names. */
export const zoneName = "mesh";

/**
 * Seconds that answers may be kept. Short, for the server is on the client's own machine, asking
 * again costs microseconds, and a replica that died must be forgotten at once. Not 0: some
 * resolvers take that badly.
 */
export const zoneTtlS = 1;
