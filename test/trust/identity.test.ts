import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeyPairFromSeed, publicKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id";
import { hex } from "../../crdt/hash.ts";
import { identityFromSeed, peerIdOf, publicKeyOf, verify } from "../../trust/identity.ts";
import { bytesOf, dice } from "../crdt/bytes.ts";

/** RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3 and TEST SHA(abc). */
const vectors: readonly [seed: string, publicKey: string, message: string, signature: string][] = [
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ],
  [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ],
  [
    "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
  ],
];

for (const [seed, publicKey, message, signature] of vectors) {
  test(`RFC 8032: the key, and its signature of ${message.length / 2} bytes`, () => {
    const identity = identityFromSeed(bytesOf(seed));
    assert.equal(hex(identity.publicKey), publicKey);
    assert.equal(hex(identity.sign(bytesOf(message))), signature);
    assert.ok(verify(identity.id, bytesOf(message), bytesOf(signature)));
  });
}

/** Another's message, another's signature, one bit off: none is good. */
test("RFC 8032: no signature is good for anything else", () => {
  for (const [at, [seed, , message]] of vectors.entries()) {
    const { id } = identityFromSeed(bytesOf(seed));
    for (const [other, [, , , signature]] of vectors.entries()) {
      if (other !== at) assert.ok(!verify(id, bytesOf(message), bytesOf(signature)));
    }
    const own = bytesOf(vectors[at]?.[3] ?? "");
    for (let bit = 0; bit < 512; bit += 37) {
      const off = own.slice();
      off[bit >> 3] = (off[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.ok(!verify(id, bytesOf(message), off), `bit ${bit}`);
    }
  }
});

test("ids are libp2p's own, and hold the public key", async () => {
  const throwDice = dice(5);
  for (let round = 0; round < 50; round++) {
    const seed = Uint8Array.from({ length: 32 }, () => throwDice(256));
    const identity = identityFromSeed(seed);
    const theirs = await generateKeyPairFromSeed("Ed25519", seed);
    assert.equal(identity.id, peerIdFromPublicKey(theirs.publicKey).toString());
    assert.deepEqual(publicKeyOf(identity.id), identity.publicKey);
    assert.equal(peerIdOf(identity.publicKey), identity.id);
    assert.equal(identity.id.length, 52);
    const parsed = peerIdFromString(identity.id);
    assert.equal(parsed.type, "Ed25519");
    assert.deepEqual(new Uint8Array(parsed.publicKey?.raw ?? []), identity.publicKey);
  }
});

test("what one side signs the other takes", async () => {
  const seed = new Uint8Array(32).fill(3);
  const message = new TextEncoder().encode("hello");
  const identity = identityFromSeed(seed);
  const theirs = await generateKeyPairFromSeed("Ed25519", seed);
  assert.ok(verify(identity.id, message, new Uint8Array(await theirs.sign(message))));
  const publicKey = publicKeyFromRaw(identity.publicKey);
  assert.ok(await publicKey.verify(message, identity.sign(message)));
});

const id = identityFromSeed(new Uint8Array(32).fill(3)).id;
const rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

const noIds: readonly string[] = [
  "",
  "ada",
  rsa,
  id.slice(1),
  id.slice(0, -1),
  `${id}1`,
  `1${id}`,
  `z${id}`,
  `${id} `,
  ` ${id}`,
  `${id}\n`,
  id.toLowerCase(),
  `${id.slice(0, -1)}0`,
  "1".repeat(52),
  "x".repeat(10_000),
];

for (const text of noIds) {
  test(`${JSON.stringify(text.slice(0, 60))} is no id of a key`, () => {
    assert.equal(publicKeyOf(text), undefined);
    assert.equal(verify(text, new Uint8Array(1), new Uint8Array(64)), false);
  });
}

test("a signature of another length is no signature, and no key makes verify throw", () => {
  const { sign } = identityFromSeed(new Uint8Array(32).fill(3));
  const message = new Uint8Array(10);
  assert.ok(!verify(id, message, new Uint8Array()));
  assert.ok(!verify(id, message, new Uint8Array([...sign(message), 0])));
  for (const byte of [0, 1, 2, 0x7f, 0xec, 0xed, 0xff]) {
    const key = new Uint8Array(32).fill(byte);
    assert.equal(verify(peerIdOf(key), message, sign(message)), false);
  }
});

// The memory of good signatures is by a hash of all three: where one ends and the next begins
// must be beyond doubt.
test("what is remembered of one signature serves no other split of the same bytes", () => {
  const identity = identityFromSeed(new Uint8Array(32).fill(3));
  for (let round = 0; round < 2000; round++) {
    const message = new TextEncoder().encode(`message ${round}`);
    const signature = identity.sign(message);
    assert.ok(verify(identity.id, message, signature));
    if ((signature[0] as number) >= 0x80) continue;
    // One byte moves from the signature to the name, and one from the message to the signature.
    const name = identity.id + String.fromCharCode(signature[0] as number);
    const moved = new Uint8Array([...signature.subarray(1), message[0] as number]);
    assert.equal(verify(name, message.subarray(1), moved), false);
    return;
  }
  assert.fail("no signature began with a character");
});
