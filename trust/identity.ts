/**
 * Keys. An identity is an ed25519 key; its name is the libp2p peer id that contains the public
 * key, so whoever knows a name can check a signature without asking anybody.
 *
 * Sources: RFC 8032 (Ed25519), RFC 8410 (its DER forms), libp2p peer ids specification (identity
 * multihash of the protobuf-encoded key, base58btc).
 */

import {
  verify as check,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
} from "node:crypto";
import { fromString } from "uint8arrays/from-string";
import { toString as toText } from "uint8arrays/to-string";
import { hex, sha256 } from "../crdt/hash.ts";
import type { Signer, Verify } from "../crdt/signed.ts";

export type Identity = Signer & {
  /** 32 bytes; whoever has them is this identity. */
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
};

/** RFC 8410 section 7: PKCS#8 of an Ed25519 seed, and section 4: SPKI of a public key. */
const privatePrefix = fromString("302e020100300506032b657004220420", "base16");
const publicPrefix = fromString("302a300506032b6570032100", "base16");
/** Identity multihash (0x00, 36 bytes) of protobuf {type: Ed25519, data: 32 bytes}. */
const peerIdPrefix = fromString("002408011220", "base16");

export function identityFromSeed(seed: Uint8Array): Identity {
  const key = createPrivateKey({
    key: Buffer.concat([privatePrefix, seed]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const publicKey = new Uint8Array(spki.subarray(publicPrefix.length));
  const id = peerIdOf(publicKey);
  return { id, seed, publicKey, sign: (message) => new Uint8Array(sign(null, message, key)) };
}

export function peerIdOf(publicKey: Uint8Array): string {
  return toText(Buffer.concat([peerIdPrefix, publicKey]), "base58btc");
}

/** Undefined when the text is not the peer id of an ed25519 key. */
export function publicKeyOf(id: string): Uint8Array | undefined {
  if (id.length < 40 || id.length > 64) return undefined;
  try {
    const bytes = fromString(id, "base58btc");
    const prefix = bytes.subarray(0, peerIdPrefix.length);
    if (bytes.length !== peerIdPrefix.length + 32) return undefined;
    return Buffer.compare(prefix, peerIdPrefix) === 0
      ? bytes.subarray(peerIdPrefix.length)
      : undefined;
  } catch {
    return undefined;
  }
}

/** More keys than a mesh has nodes and people; each is about 1 KiB. */
const keysKept = 4096;
const keys = new Map<string, KeyObject | undefined>();
/** Good signatures seen lately, 150 bytes each: in a simulation every node checks the same ones. */
const goodKept = 8_192;
const good = new Set<string>();

function keyOf(signer: string): KeyObject | undefined {
  if (keys.has(signer)) return keys.get(signer);
  const publicKey = publicKeyOf(signer);
  const key =
    publicKey === undefined
      ? undefined
      : createPublicKey({
          key: Buffer.concat([publicPrefix, publicKey]),
          format: "der",
          type: "spki",
        });
  if (keys.size >= keysKept) keys.clear();
  keys.set(signer, key);
  return key;
}

export const verify: Verify = (signer, message, signature) => {
  const key = keyOf(signer);
  if (key === undefined || signature.length !== 64) return false;
  // Ids of keys are all of one length, and so are signatures: there is one way to split this.
  const memo = hex(sha256(Buffer.from(signer), signature, message));
  if (good.has(memo)) return true;
  if (!check(null, message, key, signature)) return false;
  if (good.size >= goodKept) good.clear();
  good.add(memo);
  return true;
};
