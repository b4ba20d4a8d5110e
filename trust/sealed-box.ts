/**
 * Bytes that only named keys can read: sealed once with a key made for that, which is sealed again
 * for each reader under what its key agrees on with a key thrown away afterwards.
 *
 * Sources: hybrid encryption as RFC 9180 (HPKE) has it, with the agreement of trust/agreement.ts in
 * place of its own; RFC 8439 (ChaCha20-Poly1305). Every key here seals exactly one message, so the
 * nonce is always zero. It says nothing of who sealed it: whoever needs that signs the whole.
 */

import { type CipherKey, createCipheriv, createDecipheriv } from "node:crypto";
import { agreements } from "./agreement.ts";
import { type Identity, identityFromSeed, publicKeyOf } from "./identity.ts";

export type SealedBox = {
  /** Public key of the one that was thrown away. */
  readonly sender: Uint8Array;
  /** Peer id of each reader, and the content's key sealed for it. */
  readonly keys: readonly (readonly [reader: string, key: Uint8Array])[];
  readonly content: Uint8Array;
};

/** Random bytes that a box needs: the content's key, and the seed of a key to agree with. */
export const boxRandomBytes = 64;

const context = "shoal/sealed-box/1";
const cipher = "chacha20-poly1305";
const nonce = new Uint8Array(12);
const tagBytes = 16;

/** `random` must never serve twice. Readers that are no keys to agree with are left out. */
export function sealBox(
  content: Uint8Array,
  readers: readonly string[],
  random: Uint8Array,
): SealedBox {
  const key = random.subarray(0, 32);
  const sender = identityFromSeed(random.subarray(32, boxRandomBytes));
  const agree = agreeing(sender);
  const keys = readers.flatMap((reader) => {
    const shared = agree(publicKeyOf(reader) ?? new Uint8Array(0));
    return shared === undefined ? [] : [[reader, encrypt(shared, key)] as const];
  });
  return { sender: sender.publicKey, keys, content: encrypt(key, content) };
}

/** Undefined when the box is not for this reader, or was changed. */
export function openBox(
  { sender, keys, content }: SealedBox,
  reader: Identity,
): Uint8Array | undefined {
  const sealed = keys.find(([id]) => id === reader.id)?.[1];
  const shared = agreeing(reader)(sender);
  if (sealed === undefined || shared === undefined) return undefined;
  const key = decrypt(shared, sealed);
  return key?.length === 32 ? decrypt(key, content) : undefined;
}

function agreeing({ seed, publicKey }: Identity) {
  return agreements({ seed, publicKey, secret: new Uint8Array(0), context });
}

function encrypt(key: CipherKey, plain: Uint8Array): Uint8Array {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  const sealed = [sealing.update(plain), sealing.final(), sealing.getAuthTag()];
  return new Uint8Array(Buffer.concat(sealed));
}

function decrypt(key: CipherKey, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < tagBytes) return undefined;
  const end = sealed.length - tagBytes;
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  opening.setAuthTag(sealed.subarray(end));
  try {
    const plain = [opening.update(sealed.subarray(0, end)), opening.final()];
    return new Uint8Array(Buffer.concat(plain));
  } catch {
    return undefined;
  }
}
