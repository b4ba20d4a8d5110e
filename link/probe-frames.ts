/**
 * Datagrams of the prober: layout and sealing. All are of one size, so that an answer is never
 * larger than its question and nobody can be made to amplify.
 *
 *   version 1 | nonce 12 | sealed { kind 1 | from 16 | to 16 | sequence 6 | lag 4 } | tag 16
 *
 * Sealed with ChaCha20-Poly1305 (RFC 8439) under a key that HKDF (RFC 5869) derives from the mesh's
 * secret. The nonce is eight random bytes of this start of the sender and a counter of four, so
 * that no two datagrams of a mesh share one; it also tells a repeated datagram from a new one.
 * From and to are hashes of node ids: an answer meant for another, or given by another, is refused.
 *
 * What this proves is membership, not identity: whoever holds the mesh's secret can answer for
 * anybody. Verdicts are therefore only an observer's word, and it takes a majority of them.
 */

import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { sha256 } from "../crdt/hash.ts";
import type { NodeId } from "../model/ids.ts";

export type ProbeFrame = {
  readonly kind: "probe" | "answer";
  /** `nodeTag` of the sender and of whom it is for. */
  readonly from: string;
  readonly to: string;
  readonly sequence: number;
  /** Of an answer: ms since the sender's main loop turned last. 0 in a probe. */
  readonly lagMs: number;
};

export type OpenedFrame = ProbeFrame & {
  /** Of this start of the sender, and the count of its datagrams. */
  readonly session: string;
  readonly count: number;
};

const version = 1;
const sessionBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
const bodyBytes = 1 + 16 + 16 + 6 + 4;
export const probeFrameBytes = 1 + nonceBytes + bodyBytes + tagBytes;

const algorithm = "chacha20-poly1305";
const kinds = ["probe", "answer"] as const;
const countMax = 2 ** 32 - 1;
const lagMsMax = 2 ** 32 - 1;

/** A node's name in datagrams: the first 16 bytes of its id's SHA-256, in hex. */
export function nodeTag(node: NodeId): string {
  return Buffer.from(sha256(Buffer.from(node))).toString("hex", 0, 16);
}

export class ProbeSeal {
  readonly #key: KeyObject;
  readonly #drawSession: () => Uint8Array;
  #session: Uint8Array;
  #count = 0;

  /** `drawSession` gives eight random bytes: once now, and again should the counter run out. */
  constructor(secret: Uint8Array, drawSession: () => Uint8Array) {
    const key = hkdfSync("sha256", secret, new Uint8Array(0), "shoal/probe/1", 32);
    this.#key = createSecretKey(new Uint8Array(key));
    this.#drawSession = drawSession;
    this.#session = drawSession();
  }

  seal(frame: ProbeFrame): Uint8Array {
    const datagram = Buffer.alloc(probeFrameBytes);
    datagram[0] = version;
    datagram.writeUInt32BE(this.#nextCount(), 1 + sessionBytes);
    datagram.set(this.#session, 1);
    const nonce = datagram.subarray(1, 1 + nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(datagram.subarray(0, 1), { plaintextLength: bodyBytes });
    datagram.set(cipher.update(encodeBody(frame)), 1 + nonceBytes);
    cipher.final();
    datagram.set(cipher.getAuthTag(), 1 + nonceBytes + bodyBytes);
    return datagram;
  }

  /** Undefined for what was not sealed with this mesh's secret, byte for byte. */
  open(datagram: Uint8Array): OpenedFrame | undefined {
    if (datagram.length !== probeFrameBytes || datagram[0] !== version) return undefined;
    const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
    const nonce = bytes.subarray(1, 1 + nonceBytes);
    const cipher = createDecipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(bytes.subarray(0, 1), { plaintextLength: bodyBytes });
    cipher.setAuthTag(bytes.subarray(1 + nonceBytes + bodyBytes));
    const body = cipher.update(bytes.subarray(1 + nonceBytes, 1 + nonceBytes + bodyBytes));
    try {
      cipher.final();
    } catch {
      return undefined;
    }
    const frame = decodeBody(body);
    if (frame === undefined) return undefined;
    const session = nonce.toString("hex", 0, sessionBytes);
    return { ...frame, session, count: nonce.readUInt32BE(sessionBytes) };
  }

  #nextCount(): number {
    if (this.#count > countMax) {
      this.#session = this.#drawSession();
      this.#count = 0;
    }
    return this.#count++;
  }
}

function encodeBody(frame: ProbeFrame): Buffer {
  const body = Buffer.alloc(bodyBytes);
  body[0] = kinds.indexOf(frame.kind);
  body.write(frame.from, 1, "hex");
  body.write(frame.to, 17, "hex");
  body.writeUIntBE(frame.sequence, 33, 6);
  body.writeUInt32BE(Math.min(lagMsMax, Math.max(0, Math.round(frame.lagMs))), 39);
  return body;
}

function decodeBody(body: Buffer): ProbeFrame | undefined {
  const kind = kinds[body[0] as number];
  if (kind === undefined) return undefined;
  return {
    kind,
    from: body.toString("hex", 1, 17),
    to: body.toString("hex", 17, 33),
    sequence: body.readUIntBE(33, 6),
    lagMs: body.readUInt32BE(39),
  };
}
