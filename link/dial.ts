/**
 * A person's own connection to a peer: a libp2p that lives as long as a command, listens nowhere
 * and knows nobody. Whoever calls it loads it when it is needed. A door.
 */

import type { Duplex } from "node:stream";
import type { Connection, Libp2p } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { OperationError, type Problem } from "../model/problem.ts";
import type { Identity } from "../trust/identity.ts";
import { parseAddress } from "./addresses.ts";
import { secureTransport } from "./secure-transport.ts";
import { openProtocol, reasonOf } from "./stream-protocols.ts";

export type PeerLink = {
  /** The id that noise has proven. */
  readonly peer: string;
  open(protocol: string, signal?: AbortSignal): Promise<Duplex>;
  /** Lets go of what is still open. */
  close(): Promise<void>;
};

export type DialOptions = {
  /** A multiaddr with the peer's id. */
  readonly address: string;
  /** The mesh's, 32 bytes. */
  readonly secret: Uint8Array;
  readonly identity: Identity;
  readonly signal?: AbortSignal;
};

/** Across the world it takes one second; a peer that swallows packets takes all five. */
const dialMsMax = 5_000;
/** How long streams may take to say that they end, when the command is done. */
const closeMsMax = 250;
const pingProtocol = "/ipfs/ping/1.0.0";

/**
 * Rejects with `address-invalid`, `peer-unreachable`, `key-refused`, or with the signal's reason.
 */
export async function dialPeer({
  address,
  secret,
  identity,
  signal,
}: DialOptions): Promise<PeerLink> {
  const parsed = parseAddress(address);
  if (parsed?.peer === undefined) {
    const detail = parsed === undefined ? "not a TCP multiaddr" : "the peer's id is missing";
    throw new OperationError({ code: "address-invalid", address, detail });
  }
  signal?.throwIfAborted();
  const libp2p = await createLibp2p({
    ...secureTransport(identity, secret),
    connectionGater: { denyInboundConnection: () => true },
    connectionMonitor: { enabled: false },
    connectionManager: { dialTimeout: dialMsMax, addressDialTimeout: dialMsMax },
  });
  try {
    const connection = await connect(libp2p, address, signal);
    return linkOver(libp2p, connection, parsed.peer);
  } catch (error) {
    await libp2p.stop();
    throw error;
  }
}

async function connect(
  libp2p: Libp2p,
  address: string,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const late = AbortSignal.timeout(dialMsMax);
  const either = signal === undefined ? late : AbortSignal.any([late, signal]);
  const fail = (code: "key-refused" | "peer-unreachable", cause: unknown): OperationError => {
    const detail = late.aborted ? "it does not answer" : reasonOf(cause);
    const problem: Problem = { code, address, detail };
    return new OperationError(problem, { cause });
  };
  let connection: Connection;
  try {
    connection = await libp2p.dial(multiaddr(address), { signal: either });
  } catch (error) {
    signal?.throwIfAborted();
    throw fail("peer-unreachable", error);
  }
  try {
    // The other side decides after noise, when our dial is done already: only an answer tells.
    const stream = await connection.newStream(pingProtocol, { signal: either });
    stream.abort(new Error("an answer is all that was wanted"));
  } catch (error) {
    signal?.throwIfAborted();
    if (late.aborted) throw fail("peer-unreachable", error);
    if (connection.status !== "open") {
      throw fail("key-refused", new Error("it closed the connection", { cause: error }));
    }
  }
  return connection;
}

function linkOver(libp2p: Libp2p, connection: Connection, peer: string): PeerLink {
  return {
    peer,
    open: (protocol, signal) => openProtocol(connection, protocol, signal),
    close: async () => {
      try {
        await connection.close({ signal: AbortSignal.timeout(closeMsMax) });
      } catch {
        connection.abort(new Error("closing"));
      }
      await libp2p.stop();
    },
  };
}
