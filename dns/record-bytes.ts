/**
 * Records as bytes, by dns2's encoder, one at a time: it takes 65 ms for a message of 1,000
 * records, since it keeps bits and copies them for each one. Without its table of names it also
 * leaves SRV targets whole, as RFC 2782 wants them, so that a record's bytes are right wherever in
 * a message they stand. Only what zone.ts says comes here, never a byte of a client.
 *
 * A door only because dns2 has one entry for codec and sockets.
 */

import dns2 from "dns2";
import { classIn, recordType, type ZoneRecord, zoneName, zoneTtlS } from "./record.ts";

/** Points at the question's name, which follows the header (RFC 1035 section 4.1.4). */
const ownerIsQuestion = Buffer.from([0xc0, 12]);

/** A record whose owner is the name that was asked for. */
export function encodeAnswer(record: ZoneRecord): Buffer {
  // Written with the root as owner, one zero byte, in whose place the pointer goes.
  return Buffer.concat([ownerIsQuestion, encode("", record).subarray(1)]);
}

/** The zone's SOA, for the authority section of answers that say "no" (RFC 2308). */
export function encodeAuthority(serial: number): Buffer {
  return encode(zoneName, { kind: "SOA", serial });
}

function encode(name: string, record: ZoneRecord): Buffer {
  const { Resource } = dns2.Packet;
  const type = recordType[record.kind];
  const resource = new Resource({ name, type, class: classIn, ttl: zoneTtlS });
  return Resource.encode(Object.assign(resource, dataOf(record)));
}

function dataOf(record: ZoneRecord): Partial<InstanceType<typeof dns2.Packet.Resource>> {
  switch (record.kind) {
    case "A":
    case "AAAA":
      return { address: record.address };
    case "NS":
      return { ns: record.target };
    case "PTR":
      return { domain: record.target };
    case "TXT":
      return { data: [...record.strings] };
    case "SRV":
      // All endpoints are alike: who balances by weight picks evenly.
      return { priority: 0, weight: 1, port: record.port, target: record.target };
    case "SOA":
      return soa(record.serial);
    case "HINFO":
      return { data: Buffer.from("\x07RFC8482\0", "latin1") };
  }
}

/** Nobody transfers this zone, so only `minimum` matters: how long a "no" may be kept. */
function soa(serial: number): Partial<InstanceType<typeof dns2.Packet.Resource>> {
  return {
    primary: zoneName,
    admin: `hostmaster.${zoneName}`,
    serial,
    refresh: 60,
    retry: 60,
    expiration: 600,
    minimum: zoneTtlS,
  };
}
