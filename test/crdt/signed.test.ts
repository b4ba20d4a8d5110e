import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../../crdt/codec.ts";
import { equalBytes } from "../../crdt/hash.ts";
import { isRecord, messageOf, open, seal } from "../../crdt/signed.ts";
import { mutated } from "./bytes.ts";
import { ada, ben, verify } from "./signers.ts";

const context = "shoal/test/1";
const payload = { kind: "note", text: "all is well", times: [1, 2, 3] };
const sealed = seal(ada, context, payload);

type Envelope = { payload: Uint8Array; signature: Uint8Array; signer: string };

/** The envelope with some of it changed, in canonical bytes. */
function changed(change: (envelope: Envelope) => Record<string, unknown>): Uint8Array {
  return encode(change({ ...(decode(sealed) as Envelope) }));
}

test("what was sealed opens, under the key that signed and with the bytes that were signed", () => {
  const opened = open(sealed, context, verify);
  assert.equal(opened?.signer, ada.id);
  assert.deepEqual(opened.payload, payload);
  assert.deepEqual(opened.payloadBytes, encode(payload));
});

test("fields that a reader does not know survive it, in the payload's own bytes", () => {
  const newer = seal(ada, context, { ...payload, invented: { later: true } });
  const opened = open(newer, context, verify);
  assert.deepEqual(decode(opened?.payloadBytes as Uint8Array), opened?.payload);
  assert.deepEqual(opened?.payload, { ...payload, invented: { later: true } });
});

const forgeries: readonly [what: string, bytes: Uint8Array][] = [
  [
    "a changed payload",
    changed((one) => ({ ...one, payload: encode({ ...payload, text: "fire" }) })),
  ],
  ["another signer's name", changed((one) => ({ ...one, signer: ben.id }))],
  [
    "another's signature",
    changed((one) => ({ ...one, signature: ben.sign(messageOf(context, one.payload)) })),
  ],
  ["no signature", changed(({ payload: bytes, signer }) => ({ payload: bytes, signer }))],
  ["an empty signature", changed((one) => ({ ...one, signature: new Uint8Array() }))],
  ["a signature cut short", changed((one) => ({ ...one, signature: one.signature.subarray(1) }))],
  [
    "a signature made longer",
    changed((one) => ({ ...one, signature: Buffer.concat([one.signature, new Uint8Array(1)]) })),
  ],
  ["a signer that is no key", changed((one) => ({ ...one, signer: "ada" }))],
  ["a signer that is no text", changed((one) => ({ ...one, signer: 7 }))],
  ["a payload that is no bytes", changed((one) => ({ ...one, payload }))],
  ["a list", encode([1, 2, 3])],
  ["nothing", new Uint8Array()],
];

for (const [what, bytes] of forgeries) {
  test(`an envelope with ${what} does not open`, () => {
    assert.equal(open(bytes, context, verify), undefined);
  });
}

test("a payload that is signed but not readable does not open", () => {
  const garbage = new Uint8Array([0xff, 0x00]);
  const signature = ada.sign(messageOf(context, garbage));
  const bytes = encode({ payload: garbage, signature, signer: ada.id });
  assert.equal(open(bytes, context, verify), undefined);
});

test("one signature serves one context, and no context is the beginning of another", () => {
  assert.equal(open(sealed, "shoal/test/10", verify), undefined);
  assert.equal(open(sealed, "shoal/test/", verify), undefined);
  const [short, long] = [messageOf("a", encode("b")), messageOf("ab", encode("b"))];
  assert.ok(!equalBytes(short, long));
});

test("the order of ed25519 added to a signature does not make a second one", () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const twisted = changed((one) => {
    const low = BigInt(`0x${Buffer.from(one.signature.subarray(32)).reverse().toString("hex")}`);
    const high = (low + order).toString(16).padStart(64, "0");
    const tail = Buffer.from(high, "hex").reverse();
    return { ...one, signature: Buffer.concat([one.signature.subarray(0, 32), tail]) };
  });
  assert.equal(open(twisted, context, verify), undefined);
});

// A relay that could spell one envelope in two ways could fill a history of ten with copies.
test("an envelope has one spelling: nothing may be added to it", () => {
  assert.equal(
    open(
      changed((one) => ({ ...one, more: 1 })),
      context,
      verify,
    ),
    undefined,
  );
  const { payload: bytes, signature, signer } = decode(sealed) as Envelope;
  const fields = [{ signature }, { payload: bytes }, { signer }].map((one) => encode(one).slice(1));
  const unsorted = new Uint8Array(Buffer.concat([new Uint8Array([0xa3]), ...fields]));
  assert.equal(unsorted.length, sealed.length);
  assert.equal(open(unsorted, context, verify), undefined);
});

test("an envelope longer than allowed does not open", () => {
  assert.equal(open(sealed, context, verify, sealed.length - 1), undefined);
});

test("of a hundred thousand damaged envelopes none opens, and none throws", () => {
  for (const bytes of mutated([sealed, seal(ben, context, "x")], 100_000, 3)) {
    const opened = open(bytes, context, verify);
    if (opened === undefined) continue;
    const isIntact = equalBytes(bytes, sealed) || opened.payload === "x";
    assert.ok(isIntact, Buffer.from(bytes).toString("hex"));
  }
});

test("what is a record and what is none", () => {
  for (const none of [null, undefined, 1, "a", [], new Uint8Array(2)]) assert.ok(!isRecord(none));
  assert.ok(isRecord({}));
});
