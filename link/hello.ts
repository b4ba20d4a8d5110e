/**
 * The first record each way on a frames stream. Whoever hears it knows that the other side let it
 * in, and where else it may be reached.
 */

import { decode, encode } from "../crdt/codec.ts";
import { isRecord } from "../crdt/signed.ts";
import { addressesMax } from "./addresses.ts";

export const helloBytesMax = 8 * 1024;

/** `listen`: multiaddrs without the peer id. */
export function writeHello(listen: readonly string[]): Uint8Array {
  return encode({ kind: "hello", listen: listen.slice(0, addressesMax) });
}

/** Where it listens. Undefined when this is no hello. Later versions may say more. */
export function readHello(bytes: Uint8Array): readonly string[] | undefined {
  const hello = decode(bytes, helloBytesMax);
  if (!isRecord(hello)) return undefined;
  const { kind, listen } = hello;
  if (kind !== "hello" || !Array.isArray(listen) || listen.length > addressesMax) return undefined;
  return listen.every((one) => typeof one === "string") ? listen : undefined;
}
