/**
 * Keys that two identities share without a word between them: each makes the same one of its own
 * seed and the other's public key, and nobody else can. Used where every message must prove its
 * sender and a signature would be too slow.
 *
 * The ed25519 keys are turned into X25519 keys, as libsodium does it: the private one by the hash
 * that RFC 8032 section 5.1.5 makes of the seed, the public one by the map from the Edwards curve
 * to the Montgomery curve of RFC 7748 section 4.1, u = (1 + y) / (1 - y). That one key may sign and
 * agree is proven in Thormarker, "On using the same key pair for Ed25519 and an X25519 based KEM",
 * 2021 (ePrint 2021/509). What comes out goes through HKDF (RFC 5869) with both names, which tells
 * a key from its mirror image, as which it would agree.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from "node:crypto";
import { fromString } from "uint8arrays/from-string";

/**
 * 32 bytes for the peer with that public key; undefined when it is not a key to agree with. As a
 * KeyObject: with plain bytes an HMAC takes four times as long.
 */
export type Agree = (publicKey: Uint8Array) => KeyObject | undefined;

export type AgreementOptions = {
  readonly seed: Uint8Array;
  /** Of that seed. */
  readonly publicKey: Uint8Array;
  /** What the mesh has in common: without it two members agree on another key. */
  readonly secret: Uint8Array;
  /** What the keys are for. */
  readonly context: string;
};

/** RFC 8410: PKCS#8 of an X25519 private key, SPKI of a public one. */
const privatePrefix = fromString("302e020100300506032b656e04220420", "base16");
const publicPrefix = fromString("302a300506032b656e032100", "base16");

/** The field of both curves. */
const prime = 2n ** 255n - 19n;

export function agreements({ seed, publicKey, secret, context }: AgreementOptions): Agree {
  const scalar = createHash("sha512").update(seed).digest().subarray(0, 32);
  const der = Buffer.concat([privatePrefix, scalar]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return (theirs) => {
    const shared = exchange(privateKey, theirs);
    if (shared === undefined) return undefined;
    const both = [publicKey, theirs].sort(Buffer.compare);
    const info = Buffer.concat([Buffer.from(context), ...both]);
    return createSecretKey(new Uint8Array(hkdfSync("sha256", shared, secret, info, 32)));
  };
}

/** Undefined for points of small order, with which everybody would agree on nothing. */
function exchange(privateKey: KeyObject, theirs: Uint8Array): Uint8Array | undefined {
  const point = montgomeryOf(theirs);
  if (point === undefined) return undefined;
  const der = Buffer.concat([publicPrefix, point]);
  try {
    const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
    return diffieHellman({ privateKey, publicKey });
  } catch {
    return undefined;
  }
}

/** The u of an Edwards point, from its y. Undefined when that is none of the field. */
function montgomeryOf(edwards: Uint8Array): Uint8Array | undefined {
  if (edwards.length !== 32) return undefined;
  // The highest bit is the sign of x, which u does not depend on.
  const y = numberOf(edwards) & (2n ** 255n - 1n);
  if (y >= prime || y === 1n) return undefined;
  const u = ((1n + y) * inverse((prime + 1n - y) % prime)) % prime;
  return fromString(u.toString(16).padStart(64, "0"), "base16").reverse();
}

function numberOf(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(littleEndian).reverse().toString("hex")}`);
}

/** Modulo the prime, by Euclid's extended algorithm; nothing here is secret. */
function inverse(value: bigint): bigint {
  let [rest, next] = [prime, value];
  let [factor, nextFactor] = [0n, 1n];
  while (next > 0n) {
    const quotient = rest / next;
    [rest, next] = [next, rest - quotient * next];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return ((factor % prime) + prime) % prime;
}
