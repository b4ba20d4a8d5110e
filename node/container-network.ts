/**
 * The subnet that this node claims for its containers, followed as the mesh's claims change. Pure:
 * node/daemon.ts tells it what it sees and does what it says.
 */

import type { NodeId } from "../model/ids.ts";
import { claimSubnet, gatewayOf } from "../overlay/subnet.ts";
import type { Desired } from "./desired.ts";

export type ContainerNetwork = {
  /** CIDR; "" without containers. */
  readonly subnet: string;
  /** The bridge's own address, where containers reach this node's DNS. */
  readonly dnsAddress: string;
};

export const noNetwork: ContainerNetwork = { subnet: "", dnsAddress: "" };

/**
 * A first claim waits this long for others' claims to arrive, ms; a collision costs a renumbering.
 */
const waitMs = 3_000;

/** What to claim now, given what was claimed before (in this run, or in the run before it). */
export function nextClaim(
  self: NodeId,
  desired: Desired,
  before: string,
  sinceStartMs: number,
): ContainerNetwork {
  const fresh = before === "" && !desired.complete && sinceStartMs < waitMs;
  if (fresh) return noNetwork;
  const claims = new Map<NodeId, string>();
  for (const { node, rows } of desired.members) {
    if (node !== self && rows.facts !== undefined) claims.set(node, rows.facts.subnet);
  }
  claims.set(self, before);
  const subnet = claimSubnet(self, claims);
  return { subnet, dnsAddress: gatewayOf(subnet) ?? "" };
}
