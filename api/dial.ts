/** A person's way to a peer: one link, on which each request is a stream of its own. A door. */

import type { Duplex } from "node:stream";
import { dialPeer as dial } from "../link/dial.ts";
import { protocols } from "../link/streams.ts";
import { broken } from "./exchange.ts";
import type { PersonKey } from "./person.ts";

export interface PeerLink {
  /** The peer id that noise has proven. */
  readonly peer: string;
  /** A stream of the API's protocol. */
  open(signal?: AbortSignal): Promise<Duplex>;
  close(): Promise<void>;
}

export type PeerAddress = {
  /** Multiaddr, with the peer's id. */
  readonly address: string;
  /** The mesh's, 32 bytes. */
  readonly secret: Uint8Array;
  readonly key: PersonKey;
  readonly signal: AbortSignal;
};

/** Rejects with an OperationError when nobody answers there, or who answers refuses this key. */
export async function dialPeer({ address, secret, key, signal }: PeerAddress): Promise<PeerLink> {
  try {
    const link = await dial({ address, secret, identity: key, signal });
    return {
      peer: link.peer,
      open: async (opening) => await link.open(protocols.api, opening),
      close: async () => await link.close(),
    };
  } catch (error) {
    throw broken(error, address);
  }
}
