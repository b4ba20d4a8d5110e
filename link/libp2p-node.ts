/**
 * The agent's libp2p, with the settings that were measured and without what bites: no identify, no
 * peer routing, no reconnecting, no connection monitor that kills. What of its insides we use is
 * named here, and nowhere else. A door.
 */

import type { ConnectionGater, Libp2p } from "@libp2p/interface";
import { createLibp2p, type ServiceFactoryMap } from "libp2p";
import type { Identity } from "../trust/identity.ts";
import type { Admission } from "./admission.ts";
import type { Counters } from "./counters.ts";
import { secureTransport } from "./secure-transport.ts";

/** libp2p's own parts, as it hands them to services. */
export type Insides = Parameters<ServiceFactoryMap["insides"]>[0];

export type Node = { readonly libp2p: Libp2p; readonly insides: Insides };

export type NodeOptions = {
  readonly identity: Identity;
  readonly secret: Uint8Array;
  readonly listen: readonly string[];
  readonly admission: Admission;
  readonly counters: Counters;
  /** Most nodes that the mesh is meant to have. */
  readonly nodesMax: number;
};

/** A person's terminals and scripts at one time; a node needs two at the most. */
const connectionsPerKeyMax = 64;

export async function createNode(options: NodeOptions): Promise<Node> {
  let insides: Insides | undefined;
  const libp2p: Libp2p = await createLibp2p({
    ...secureTransport(options.identity, options.secret),
    addresses: { listen: [...options.listen] },
    connectionGater: gate(options, () => libp2p),
    // Its pings open a stream each, a tenth of an idle agent's work; yamux's own keep TCP alive.
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: 2 * options.nodesMax + 64,
      // A whole mesh may come back at once, from behind one address.
      inboundConnectionThreshold: 1_000,
      maxIncomingPendingConnections: 200,
      inboundUpgradeTimeout: 5_000,
      reconnectRetries: 0,
    },
    services: {
      insides: (components: Insides) => {
        insides = components;
        return {};
      },
    },
    start: false,
  });
  if (insides === undefined) throw new Error("libp2p asked for no services");
  return { libp2p, insides };
}

/** Noise has proven the key by then, and no muxer exists yet: a stranger costs a handshake. */
function gate({ admission, counters }: NodeOptions, libp2p: () => Libp2p): ConnectionGater {
  return {
    denyDialPeer: (peer) => !admission.isNode(peer.toString()),
    denyOutboundEncryptedConnection: (peer) => !admission.isNode(peer.toString()),
    denyInboundEncryptedConnection: (peer) => {
      const isKnown = admission.kindOf(peer.toString()) !== undefined;
      if (isKnown && libp2p().getConnections(peer).length < connectionsPerKeyMax) return false;
      counters.add("keysRefused");
      return true;
    },
  };
}
