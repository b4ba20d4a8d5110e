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
import type { OwnAddresses } from "./own-addresses.ts";

/**
 * Between two questions to the LAN, ms. The first comes at once, as does one after every change of
 * this host's addresses; each is answered by everyone, to everyone, so that ten hosts asking once a
 * minute were a seventh of an idle agent's work on its main thread.
 */
const intervalMs = 600_000;
/** One answer of a LAN neighbour names at most so many. */
const addressesMax = 16;

export type Discovery = { stop(): Promise<void> };

export async function startDiscovery(
  insides: Insides,
  secret: Uint8Array,
  admission: Admission,
  own: Pick<OwnAddresses, "onChanged">,
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
  let ready: Promise<unknown> = Promise.resolve();
  // Its first question comes with its start.
  own.onChanged(() => {
    ready = ready
      .then(() => service.stop())
      .then(() => service.start())
      .catch(() => {});
  });
  return { stop: () => ready.then(() => service.stop()) };
}

/** Says nothing of the secret, and nothing of the mesh to whoever does not have it. */
function serviceTag(secret: Uint8Array): string {
  const digest = hex(sha256(new TextEncoder().encode("shoal/mdns/1\0"), secret));
  return `_shoal-${digest.slice(0, 16)}._udp.local`;
}
