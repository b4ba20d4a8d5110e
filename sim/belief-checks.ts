/**
 * What agents may not believe: that a node is gone which nothing ever happened to, that a replica
 * belongs on a node that cannot have it, that a stamp's time has come when it has not.
 */

import { openRevision } from "../crdt/register.ts";
import type { NodeId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Desired, Member } from "../node/desired.ts";
import type { Effect } from "../node/effects.ts";
import type { SimHost } from "./host.ts";
import type { SimMesh } from "./mesh.ts";

/** How long after the last trouble around a node others may still hold it for gone, ms. */
const forgivingMs = 15_000;
/** DESIGN section 5: stamps further ahead than this are held back. */
const aheadMaxMs = 2_000;
/** What was merged goes to disk within this time, unless the clock was set meanwhile, ms. */
const storedWithinMs = 1_000;

type Trouble = { cutOffAtMs: number; clockOffsetMs: number; clockSetMs: number };

export class BeliefChecks {
  readonly #mesh: SimMesh;
  readonly #troubles = new Map<SimHost, Trouble>();

  constructor(mesh: SimMesh) {
    this.#mesh = mesh;
  }

  /** Called often: who holds whom for gone that has been up, awake and within reach for long. */
  falseDeath(): { readonly who: string; readonly what: string } | undefined {
    const { hosts, network, world } = this.#mesh;
    const nowMs = world.nowMs();
    for (const host of hosts) {
      const isCutOff = network.faults.lossPercent > 0 || network.isCutOff(host.node);
      if (isCutOff) this.#of(host).cutOffAtMs = nowMs;
    }
    // Who judges may stand still: that is no reason to take others for dead.
    const isThere = (host: SimHost) =>
      nowMs - Math.max(this.#of(host).cutOffAtMs, host.upSinceMs()) >= forgivingMs;
    const there = hosts.filter(isThere);
    const well = there.filter((host) => nowMs - host.awakeSinceMs() >= forgivingMs);
    for (const host of there) {
      for (const { node, name } of well) {
        const status = host.agent()?.statuses().get(node)?.status ?? "alive";
        if (status === "alive") continue;
        return { who: host.name, what: `holds ${name} for ${status} without a reason` };
      }
    }
    return undefined;
  }

  #of(host: SimHost): Trouble {
    const known = this.#troubles.get(host);
    if (known !== undefined) return known;
    const trouble = { cutOffAtMs: 0, clockOffsetMs: host.clockOffsetMs, clockSetMs: 0 };
    this.#troubles.set(host, trouble);
    return trouble;
  }

  /** After a step: what is to be written is what was merged. */
  earlyStamp(host: SimHost, effects: readonly Effect[], moment: Moment): string | undefined {
    const trouble = this.#of(host);
    const nowMs = this.#mesh.world.nowMs();
    if (trouble.clockOffsetMs !== host.clockOffsetMs) trouble.clockSetMs = nowMs;
    trouble.clockOffsetMs = host.clockOffsetMs;
    if (nowMs - trouble.clockSetMs < storedWithinMs) return undefined;
    for (const effect of effects) {
      if (effect.kind !== "store") continue;
      for (const { table, value } of effect.writes) {
        if (table !== "revision" || value === undefined) continue;
        const revision = openRevision(value, this.#mesh.id, () => true);
        const aheadMs = (revision?.stamp.timeMs ?? 0) - moment.wallMs;
        if (aheadMs > aheadMaxMs) return `merges a stamp that is ${Math.round(aheadMs)} ms ahead`;
      }
    }
    return undefined;
  }
}

/** The first replica that a placement puts where it may not be. */
export function misplaced(
  { members, services, tasks, placement }: Desired,
  nameOf: (node: NodeId) => string,
): string | undefined {
  const present = members.filter(({ status }) => status !== "down").length;
  const isLesser = present * 2 <= members.length;
  const byNode = new Map<NodeId, Member>(members.map((member) => [member.node, member]));
  for (const { service, aim, slots } of services) {
    const counts = new Map<NodeId, number>();
    for (const replica of slots) {
      const node = placement.assignments.get(replica);
      if (node === undefined) continue;
      const member = byNode.get(node);
      if (member === undefined) return `gives ${replica} to nobody known`;
      const { availability } = member.policy;
      const isHeld = tasks.some((task) => task.node === node && task.replica === replica);
      const where = `gives ${replica} to ${nameOf(node)}`;
      if (member.status === "down" && aim.spec.isolation !== "stay")
        return `${where}, which is down`;
      if (availability === "drain") return `${where}, which is drained`;
      if (availability === "pause" && !isHeld) return `${where}, which is paused`;
      const isHalf = isLesser && aim.spec.isolation === "majority";
      if (isHalf) return `${where} without a majority`;
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    const { maxPerNode } = aim.spec.placement;
    const most = Math.max(0, ...counts.values());
    if (maxPerNode > 0 && most > maxPerNode) return `gives one node ${most} of ${service}`;
  }
  return undefined;
}
