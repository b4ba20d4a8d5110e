/**
 * Peers on the same LAN, by multicast DNS under a name that only holders of the mesh's secret know.
 * What it says is a hint: only admitted ids are listened to, and noise proves who answers. A door.
 *
 * It stands beside libp2p rather than in it, where every announcement would be kept for hours, and
 * a host without multicast could not start.
 *
 * Source: RFC 6762; libp2p/specs, discovery/mdns.
 */

import type { PeerDiscovery, PeerInfo } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import { hex, sha256 } from "../crdt/hash.ts";
import type { NodeId } from "../model/ids.ts";
import { isLoopback } from "./addresses.ts";
import type { Admission } from "./admission.ts";
import type { Insides } from "./libp2p-node.ts";

/**
 * Between two questions to the LAN, ms. The first comes at once, and whoever has a new address
 * dials by itself; each question is answered by everyone, so ten hosts asking every ten seconds
 * would be a fifth of an idle agent's work.
 */
const intervalMs = 60_000;
/** One answer of a LAN neighbour names at most so many. */
const addressesMax = 16;

export type Discovery = { stop(): Promise<void> };

export async function startDiscovery(
  insides: Insides,
  secret: Uint8Array,
  admission: Admission,
  learn: (node: NodeId, address: string) => void,
): Promise<Discovery> {
  const create = mdns({ serviceTag: serviceTag(secret), interval: intervalMs });
  const service = create(insides) as PeerDiscovery & { start(): Promise<void> } & Discovery;
  service.addEventListener("peer", ({ detail }: CustomEvent<PeerInfo>) => {
    const node = detail.id.toString();
    if (!admission.isNode(node)) return;
    const addresses = detail.multiaddrs.slice(0, addressesMax).map(String);
    const far = addresses.filter((address) => !isLoopback(address));
    // Its loopback is not ours, unless it has nothing else: then we may be on one host.
    for (const address of far.length > 0 ? far : addresses) learn(node, address);
  });
  await service.start();
  return service;
}

/** Says nothing of the secret, and nothing of the mesh to whoever does not have it. */
function serviceTag(secret: Uint8Array): string {
  const digest = hex(sha256(new TextEncoder().encode("shoal/mdns/1\0"), secret));
  return `_shoal-${digest.slice(0, 16)}._udp.local`;
}
