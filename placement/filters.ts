/**
 * Filters: which nodes may run a service at all. Each has a name under which its refusals are
 * counted, so that "no node fits" explains itself.
 *
 * Two kinds: fixed filters look at the spec and the node alone; room filters look at what else has
 * been placed there (room.ts).
 */

import type { NodeId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { runsPlatform, satisfies } from "./attributes.ts";
import type { NodeCandidate } from "./input.ts";

/** In the order in which they are asked: a node counts for the first that refuses it. */
export const filters = [
  "down",
  "availability",
  "engine",
  "platform",
  "constraints",
  "volume",
  "no-fit",
  "resources",
  "host-ports",
  "max-per-node",
] as const;

export type Filter = (typeof filters)[number];

/** Named volume → the one node that has it. */
export type Pins = ReadonlyMap<string, NodeId>;

/** What a replica is to the node that is asked: one it would start, or one it already runs. */
export type Claim = {
  readonly incumbent: boolean;
  /** Waits for its own node even while that is down. */
  readonly stays: boolean;
};

export const newcomer: Claim = { incumbent: false, stays: false };

/** The first fixed filter that refuses, or undefined. */
export function refusesSpec(
  spec: ServiceSpec,
  node: NodeCandidate,
  claim: Claim,
  pins: Pins | undefined,
): Filter | undefined {
  if (!node.alive && !(claim.incumbent && claim.stays)) return "down";
  // A paused node keeps what it runs; a drained one keeps nothing.
  if (node.availability === "drain") return "availability";
  if (node.availability === "pause" && !claim.incumbent) return "availability";
  return (
    refusesNature(spec, node) ?? (isPinnedElsewhere(spec, node.node, pins) ? "volume" : undefined)
  );
}

/** What neither time nor an operator's word changes soon: engine, platform, labels. */
function refusesNature(spec: ServiceSpec, node: NodeCandidate): Filter | undefined {
  const { workload } = spec;
  if (!node.engines.includes(workload.kind === "container" ? "docker" : "process")) return "engine";
  if (workload.kind === "container" && workload.platform) {
    if (!runsPlatform(node, workload.platform)) return "platform";
  }
  const { constraints } = spec.placement;
  return constraints.every((constraint) => satisfies(node, constraint)) ? undefined : "constraints";
}

function isPinnedElsewhere(spec: ServiceSpec, node: NodeId, pins: Pins | undefined): boolean {
  if (pins === undefined || pins.size === 0 || spec.workload.kind !== "container") return false;
  return spec.workload.mounts.some((mount) => {
    if (mount.kind !== "volume" || mount.source === undefined) return false;
    const holder = pins.get(mount.source);
    return holder !== undefined && holder !== node;
  });
}
