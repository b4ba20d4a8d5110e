/**
 * Sealed envelopes: a payload, who signed it, and the signature over a context and the payload's
 * bytes as they travelled. The bytes are kept and relayed as they came, so that fields of the
 * payload that a reader does not know survive it and the signature stays good.
 */

import { decode, documentBytesMax, encode } from "./codec.ts";

export type Signer = { readonly id: string; sign(message: Uint8Array): Uint8Array };

export type Verify = (signer: string, message: Uint8Array, signature: Uint8Array) => boolean;

export type Opened = {
  readonly signer: string;
  readonly payload: unknown;
  readonly payloadBytes: Uint8Array;
  readonly signature: Uint8Array;
};

const text = new TextEncoder();

export function seal(signer: Signer, context: string, payload: unknown): Uint8Array {
  const bytes = encode(payload);
  const signature = signer.sign(messageOf(context, bytes));
  return encode({ payload: bytes, signature, signer: signer.id });
}

/** Undefined when malformed, not canonical, or signed by somebody else. */
export function open(
  bytes: Uint8Array,
  context: string,
  verify: Verify,
  bytesMax: number = documentBytesMax,
): Opened | undefined {
  const envelope = decode(bytes, bytesMax);
  if (!isRecord(envelope)) return undefined;
  // Nobody signed the envelope itself: with room for more a relay could make many of one.
  const { payload: payloadBytes, signature, signer, ...more } = envelope;
  if (Object.keys(more).length > 0) return undefined;
  if (!(payloadBytes instanceof Uint8Array) || !(signature instanceof Uint8Array)) return undefined;
  if (typeof signer !== "string" || signer.length > 128) return undefined;
  const payload = decode(payloadBytes, bytesMax);
  if (payload === undefined) return undefined;
  if (!verify(signer, messageOf(context, payloadBytes), signature)) return undefined;
  return { signer, payload, payloadBytes, signature };
}

/** Contexts hold no NUL, so the first NUL ends them: one signature cannot serve two contexts. */
export function messageOf(context: string, payload: Uint8Array): Uint8Array {
  const prefix = text.encode(`${context}\0`);
  const message = new Uint8Array(prefix.length + payload.length);
  message.set(prefix);
  message.set(payload, prefix.length);
  return message;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

/** A count or a time: a whole number that survives every arithmetic we do with it. */
export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
