/**
 * Datagrams of the prober: layout, sealing and proof. All are of one size, so that an answer is
 * never larger than its question and nobody can be made to amplify.
 *
 *   version 1 | nonce 12 | sealed { said | proof 16 } | tag 16
 *   said: kind 1 | from 32 | to 32 | sequence 6 | lag 4
 *
 * Sealed with ChaCha20-Poly1305 (RFC 8439) under a key that HKDF (RFC 5869) derives from the mesh's
 * secret: to anyone else it is noise. The nonce is eight random bytes of this start of the sender
 * and a counter of four, so that no two datagrams of a mesh share one; it also tells a repeated
 * datagram from a new one.
 *
 * From and to are the nodes' public keys. The seal shows only that the sender holds the mesh's
 * secret, which people and invites do as well. Who it is, the proof shows: an HMAC-SHA256 (RFC
 * 2104), cut to 16 bytes, over the nonce and what is said, under a key that only these two nodes
 * can make (trust/agreement.ts). It is looked at behind the seal, so that strangers cost nothing
 * but one failed opening.
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";
import type { NodeId } from "../model/ids.ts";
import { publicKeyOf } from "../trust/identity.ts";

export type ProbeFrame = {
  readonly kind: "probe" | "answer";
  /** `probeName` of the sender and of whom it is for. */
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
  /** What `isProven` looks at. */
  readonly said: Uint8Array;
  readonly proof: Uint8Array;
};

const version = 2;
const sessionBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
const proofBytes = 16;
const saidBytes = 1 + 32 + 32 + 6 + 4;
const bodyBytes = saidBytes + proofBytes;
export const probeFrameBytes = 1 + nonceBytes + bodyBytes + tagBytes;

const algorithm = "chacha20-poly1305";
const kinds = ["probe", "answer"] as const;
const countMax = 2 ** 32 - 1;
const lagMsMax = 2 ** 32 - 1;

/** A node's name in datagrams: its public key, in hex. Undefined for what is no node's id. */
export function probeName(node: NodeId): string | undefined {
  const publicKey = publicKeyOf(node);
  return publicKey && Buffer.from(publicKey).toString("hex");
}

/** Whether it was made by its sender or by its receiver, given the key of the two. */
export function isProven({ said, proof }: OpenedFrame, pairKey: KeyObject): boolean {
  return timingSafeEqual(prove(said, pairKey), proof);
}

function prove(said: Uint8Array, pairKey: KeyObject): Uint8Array {
  return createHmac("sha256", pairKey).update(said).digest().subarray(0, proofBytes);
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

  /** `pairKey`: of the frame's sender and receiver. */
  seal(frame: ProbeFrame, pairKey: KeyObject): Uint8Array {
    const datagram = Buffer.alloc(probeFrameBytes);
    datagram[0] = version;
    datagram.writeUInt32BE(this.#nextCount(), 1 + sessionBytes);
    datagram.set(this.#session, 1);
    const nonce = datagram.subarray(1, 1 + nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(datagram.subarray(0, 1), { plaintextLength: bodyBytes });
    const said = Buffer.concat([nonce, encode(frame)]);
    const body = Buffer.concat([said.subarray(nonceBytes), prove(said, pairKey)]);
    datagram.set(cipher.update(body), 1 + nonceBytes);
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
    const frame = decode(body);
    if (frame === undefined) return undefined;
    const session = nonce.toString("hex", 0, sessionBytes);
    const said = Buffer.concat([nonce, body.subarray(0, saidBytes)]);
    const proof = body.subarray(saidBytes);
    return { ...frame, session, count: nonce.readUInt32BE(sessionBytes), said, proof };
  }

  #nextCount(): number {
    if (this.#count > countMax) {
      this.#session = this.#drawSession();
      this.#count = 0;
    }
    return this.#count++;
  }
}

function encode(frame: ProbeFrame): Buffer {
  const bytes = Buffer.alloc(saidBytes);
  bytes[0] = kinds.indexOf(frame.kind);
  bytes.write(frame.from, 1, "hex");
  bytes.write(frame.to, 33, "hex");
  bytes.writeUIntBE(frame.sequence, 65, 6);
  bytes.writeUInt32BE(Math.min(lagMsMax, Math.max(0, Math.round(frame.lagMs))), 71);
  return bytes;
}

function decode(body: Buffer): ProbeFrame | undefined {
  const kind = kinds[body[0] as number];
  if (kind === undefined) return undefined;
  return {
    kind,
    from: body.toString("hex", 1, 33),
    to: body.toString("hex", 33, 65),
    sequence: body.readUIntBE(65, 6),
    lagMs: body.readUInt32BE(71),
  };
}
