/**
 * The first record each way on a frames stream. Whoever hears it knows that the other side let it
 * in, where else it may be reached, and whether older connections to it still mean anything.
 */

import { decode, encode } from "../crdt/codec.ts";
import { isRecord } from "../crdt/signed.ts";
import { addressesMax } from "./addresses.ts";

export const helloBytesMax = 8 * 1024;

export type Hello = {
  /** Where it listens: multiaddrs without the peer id. */
  readonly listen: readonly string[];
  /** To who says it, no other connection between the two counts: it lost them, or never had any. */
  readonly alone: boolean;
};

export function writeHello({ listen, alone }: Hello): Uint8Array {
  return encode({ kind: "hello", listen: listen.slice(0, addressesMax), alone });
}

/** Undefined when this is no hello. Later versions may say more. */
export function readHello(bytes: Uint8Array): Hello | undefined {
  const hello = decode(bytes, helloBytesMax);
  if (!isRecord(hello)) return undefined;
  const { kind, listen, alone } = hello;
  if (kind !== "hello" || typeof alone !== "boolean") return undefined;
  if (!Array.isArray(listen) || listen.length > addressesMax) return undefined;
  return listen.every((one) => typeof one === "string") ? { listen, alone } : undefined;
}
