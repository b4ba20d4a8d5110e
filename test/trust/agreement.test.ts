import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { agreements } from "../../trust/agreement.ts";
import { type Identity, identityFromSeed } from "../../trust/identity.ts";

const secret = new Uint8Array(32).fill(9);
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function agree(self: Identity, theirs: Uint8Array, more = {}): string | undefined {
  const { seed, publicKey } = self;
  const key = agreements({ seed, publicKey, secret, context: "test", ...more })(theirs);
  return key?.export().toString("hex");
}

test("two identities make the same key, and no other pair does", () => {
  fc.assert(
    fc.property(bytes32, bytes32, bytes32, (one, two, three) => {
      const [a, b, c] = [one, two, three].map((seed) => identityFromSeed(seed));
      assert.ok(a && b && c);
      const key = agree(a, b.publicKey);
      assert.ok(key);
      assert.equal(agree(b, a.publicKey), key);
      if (c.id !== b.id) assert.notEqual(agree(a, c.publicKey), key);
      if (c.id !== a.id) assert.notEqual(agree(c, b.publicKey), key);
    }),
    { numRuns: 30 },
  );
});

test("another mesh and another purpose have other keys", () => {
  const [a, b] = [1, 2].map((byte) => identityFromSeed(new Uint8Array(32).fill(byte)));
  assert.ok(a && b);
  const key = agree(a, b.publicKey);
  assert.notEqual(agree(a, b.publicKey, { secret: new Uint8Array(32) }), key);
  assert.notEqual(agree(a, b.publicKey, { context: "other" }), key);
});

// Seeds of equal bytes, and the X25519 secret as another implementation makes it of them
// (@noble/curves 1.9: toMontgomerySecret, toMontgomery, getSharedSecret).
const vectors: [seed: number, seed: number, shared: string][] = [
  [1, 2, "4181d7302557342bdb6d061c4b1eebea828ecb625c3368b7111680793307220b"],
  [3, 250, "1ded689f91a58824fd4bcc8dc3c8a1a56799627ccd298ab51969cb1713a05064"],
];

for (const [one, two, shared] of vectors) {
  test(`the keys of ${one} and ${two} are those of another implementation`, () => {
    const [a, b] = [one, two].map((byte) => identityFromSeed(new Uint8Array(32).fill(byte)));
    assert.ok(a && b);
    const both = [a.publicKey, b.publicKey].sort(Buffer.compare);
    const info = Buffer.concat([Buffer.from("test"), ...both]);
    const key = hkdfSync("sha256", Buffer.from(shared, "hex"), secret, info, 32);
    assert.equal(agree(a, b.publicKey), Buffer.from(key).toString("hex"));
  });
}

test("a key and its mirror image, which have one X25519 key, agree on different keys", () => {
  const [a, b] = [1, 2].map((byte) => identityFromSeed(new Uint8Array(32).fill(byte)));
  assert.ok(a && b);
  const mirrored = Uint8Array.from(b.publicKey);
  mirrored[31] = (mirrored[31] as number) ^ 0x80;
  const key = agree(a, mirrored);
  assert.ok(key);
  assert.notEqual(key, agree(a, b.publicKey));
});

// Points of order 1, 2, 4, 8 and 8, and numbers that are none of the field.
const refused: [name: string, hex: string][] = [
  ["the neutral point", `01${"00".repeat(31)}`],
  ["the point of order 2", `ec${"ff".repeat(30)}7f`],
  ["a point of order 4", "00".repeat(32)],
  ["a point of order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"],
  ["its counterpart", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
  ["the prime itself", `ed${"ff".repeat(30)}7f`],
  ["the largest number", "ff".repeat(32)],
  ["too few bytes", "00"],
  ["no bytes", ""],
];

for (const [name, hex] of refused) {
  test(`nobody agrees with ${name}`, () => {
    const self = identityFromSeed(secret);
    assert.equal(agree(self, Buffer.from(hex, "hex")), undefined);
  });
}

test("whatever 32 bytes somebody calls a key, nothing breaks", () => {
  const self = identityFromSeed(secret);
  fc.assert(fc.property(bytes32, (bytes) => agree(self, bytes)?.length !== 0));
});
