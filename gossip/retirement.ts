/**
 * When deleted things may be forgotten. A tombstone must outlive every copy of what it deletes:
 * it is retired (kept, found, but in no digest) 24 h after it was written, and purged once every
 * member has had it. A member silent for 7 days is parked and not waited for; in exchange, a node
 * that was away that long, or begins with an old backup, takes state before it gives any: what
 * peers do not have, it drops. Only a member that was there before counts as such a peer: one that
 * has joined since knows nothing of what was deleted.
 *
 * Each node keeps its own record of who had what; a purge by one and not yet by another changes
 * no digest, so nothing comes back by comparing.
 */

import type { Register } from "../crdt/register.ts";
import type { NodeId } from "../model/ids.ts";
import type { Replica } from "./replica.ts";

/** Long enough for a day's outage, and for clocks that are wrong by hours. */
export const tombstoneKeptMs = 24 * 3_600_000;
/** A laptop's holiday is longer, a broken switch is not. */
export const parkedAfterMs = 7 * 24 * 3_600_000;
/** How often the registers are looked through, ms. */
const lookEveryMs = 60_000;

export class Retirement {
  readonly #replica: Replica;
  /** Wall ms at which each member was last seen to hold all that this node held. */
  readonly #equalAt = new Map<NodeId, number>();
  /** Since when a tombstone that came while this node ran has been in its digest, wall ms. */
  readonly #heldSince = new Map<string, number>();
  readonly #openedAtMs: number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  /** `savedAtMs`: wall ms of this node's last word before it was started. */
  constructor(replica: Replica, savedAtMs: number | undefined, nowMs: number) {
    this.#replica = replica;
    this.#openedAtMs = nowMs;
    if (savedAtMs === undefined || replica.unsettledSinceMs !== undefined) return;
    if (nowMs - savedAtMs > parkedAfterMs) replica.unsettle(nowMs);
  }

  /** False while this node was away too long for its memory to count. */
  get settled(): boolean {
    return this.#replica.unsettledSinceMs === undefined;
  }

  /** Whether the peer can know what was deleted while this node was away. */
  #isWitness(peer: NodeId): boolean {
    const sinceMs = this.#replica.unsettledSinceMs ?? Number.NEGATIVE_INFINITY;
    const member = this.#replica.trust.view().nodes.get(peer);
    return member !== undefined && member.admittedAtMs < sinceMs;
  }

  /** A register changed: if it is a tombstone now, peers that are equal from now on have it too. */
  noteChange(key: string, wallMs: number): void {
    const [best] = this.#replica.registers.get(key)?.revisions ?? [];
    if (best === undefined || best.value !== undefined) this.#heldSince.delete(key);
    else if (!this.#heldSince.has(key)) this.#heldSince.set(key, wallMs);
  }

  /** The peer holds exactly what this node holds. */
  noteEqual(peer: NodeId, settled: boolean, wallMs: number): void {
    this.#equalAt.set(peer, wallMs);
    if (settled && this.#isWitness(peer)) this.#replica.unsettle(undefined);
  }

  /** What a settled peer has never heard of was deleted while this node was away. */
  disown(peer: NodeId, ids: readonly string[]): void {
    if (!this.#isWitness(peer)) return;
    const { registers } = this.#replica;
    for (const id of ids) {
      const key = registers.find(id)?.key;
      const register = key === undefined ? undefined : registers.get(key);
      if (register !== undefined && this.#isFromBefore(register)) this.#replica.purge(register.key);
    }
  }

  #isFromBefore({ revisions }: Register): boolean {
    return revisions.every(({ stamp }) => stamp.timeMs < this.#openedAtMs);
  }

  look(wallMs: number, members: readonly NodeId[]): void {
    if (wallMs - this.#lookedAtMs < lookEveryMs && wallMs >= this.#lookedAtMs) return;
    this.#lookedAtMs = wallMs;
    const { registers } = this.#replica;
    for (const key of [...registers.keys("")]) {
      const [best] = registers.get(key)?.revisions ?? [];
      if (best === undefined || best.value !== undefined) continue;
      if (wallMs - best.stamp.timeMs < tombstoneKeptMs) continue;
      if (!registers.isRetired(key)) this.#replica.retire(key);
      if (members.some((member) => !this.#hadIt(member, key, wallMs))) continue;
      this.#replica.purge(key);
      this.#heldSince.delete(key);
    }
  }

  /** One that was on disk already may never have been in a digest that was compared. */
  #hadIt(member: NodeId, key: string, wallMs: number): boolean {
    if (member === this.#replica.self) return true;
    const equalMs = this.#equalAt.get(member);
    const sinceMs = this.#heldSince.get(key);
    if (equalMs !== undefined && sinceMs !== undefined && equalMs > sinceMs) return true;
    return wallMs - (equalMs ?? this.#openedAtMs) > parkedAfterMs;
  }
}
