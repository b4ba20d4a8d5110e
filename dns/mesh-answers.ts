/**
 * Answers questions about the mesh's own names. A record set is encoded when it is first asked
 * for, and kept as bytes until the next table: then an answer is a look-up and a copy. Names that
 * do not exist are not kept, for there is no end of them.
 */

import type { RoutingTable } from "../model/routing.ts";
import type { Random } from "../ports.ts";
import { Generations } from "./generations.ts";
import { labelsOf, type Query } from "./query.ts";
import { responseCode } from "./record.ts";
import { encodeAnswer, encodeAuthority } from "./record-bytes.ts";
import { RecordRing } from "./record-ring.ts";
import { roomFor, writeReply } from "./reply.ts";
import { Zone, type ZoneView } from "./zone.ts";

/** What prepared answers may take in all, bytes. A service of 100 replicas takes 3 KB a type. */
const preparedBytesMax = 4 * 1024 * 1024;

/** What the rings cost beside their bytes. */
const overheadBytes = 512;

export class MeshAnswers {
  readonly #view: Omit<ZoneView, "serial">;
  readonly #random: Random;
  #serial = 0;
  #zone: Zone;
  #authority: Buffer;
  #prepared = new Generations<RecordRing>(preparedBytesMax);

  constructor(view: Omit<ZoneView, "serial">, random: Random) {
    this.#view = view;
    this.#random = random;
    this.#zone = new Zone({ services: [] }, { ...view, serial: 0 });
    this.#authority = encodeAuthority(0);
  }

  install(table: RoutingTable): void {
    this.#serial = (this.#serial + 1) >>> 0;
    this.#zone = new Zone(table, { ...this.#view, serial: this.#serial });
    this.#authority = encodeAuthority(this.#serial);
    this.#prepared = new Generations(preparedBytesMax);
  }

  /** The reply, or "foreign" for names that are not ours. */
  answer(query: Query, overTcp: boolean, recursion: boolean): Buffer | "foreign" {
    const key = `${query.name}${query.type}`;
    const ring = this.#prepared.get(key);
    if (ring !== undefined) return replyWith(query, ring, overTcp, recursion);
    return this.#prepare(query, key, overTcp, recursion);
  }

  #prepare(query: Query, key: string, overTcp: boolean, recursion: boolean): Buffer | "foreign" {
    const labels = labelsOf(query.name);
    const finding = this.#zone.lookUp(labels, query.type);
    switch (finding.kind) {
      case "foreign":
        return "foreign";
      case "absent":
        return this.#replyNothing(query, responseCode.NXDOMAIN, recursion);
      case "present": {
        if (finding.records.length === 0) {
          return this.#replyNothing(query, responseCode.NOERROR, recursion);
        }
        const ring = new RecordRing(finding.records.map(encodeAnswer), this.#random);
        // The top's addresses follow the sockets, not the table.
        if (labels.length > 1) this.#prepared.set(key, ring, ring.bytes.length + overheadBytes);
        return replyWith(query, ring, overTcp, recursion);
      }
    }
  }

  /** NXDOMAIN and NODATA: both are kept by clients for as long as the SOA says (RFC 2308). */
  #replyNothing(query: Query, rcode: number, recursion: boolean): Buffer {
    return writeReply(query, {
      rcode,
      authoritative: true,
      recursion,
      truncated: false,
      answers: 0,
      authorities: 1,
      additionals: 0,
      records: this.#authority,
    });
  }
}

function replyWith(query: Query, ring: RecordRing, overTcp: boolean, recursion: boolean): Buffer {
  const room = roomFor(query, overTcp);
  const slice = overTcp ? ring.most(room) : ring.next(room);
  return writeReply(query, {
    rcode: responseCode.NOERROR,
    authoritative: true,
    recursion,
    truncated: !slice.whole && !overTcp,
    answers: slice.count,
    authorities: 0,
    additionals: 0,
    records: slice.records,
  });
}
