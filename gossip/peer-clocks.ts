/**
 * What peers' clocks say about ours. Offsets come with digest frames, one way, so they are off by
 * the delay; at the limits used here that does not matter. Pure.
 */

import type { Moment } from "../model/moment.ts";

/** An operator's writes are refused beyond this, ms: stamps would order against the facts. */
export const skewLimitMs = 500;
/** A peer not heard for this long has no say. */
const freshMs = 120_000;

export class PeerClocks {
  readonly #heard = new Map<string, { readonly wallMs: number; readonly atMs: number }>();

  /** `monotonicMs` is ours. Our own wall clock has no part in it: it may be the one that jumps. */
  hear(peer: string, theirWallMs: number, monotonicMs: number): void {
    this.#heard.set(peer, { wallMs: theirWallMs, atMs: monotonicMs });
  }

  forget(peer: string): void {
    this.#heard.delete(peer);
  }

  /**
   * How far the mesh's clock is from ours, ms; ours counts as one. Of two clocks no one can say
   * which is right, so the one ahead yields: its stamps are those that peers would hold back.
   */
  skewMs({ wallMs, monotonicMs }: Pick<Moment, "wallMs" | "monotonicMs">): number {
    const peers = [...this.#heard.values()]
      .filter(({ atMs }) => monotonicMs - atMs < freshMs)
      .map((heard) => Math.round(heard.wallMs + (monotonicMs - heard.atMs) - wallMs));
    if (peers.length === 1) return Math.min(0, peers[0] ?? 0);
    const all = [0, ...peers].sort((left, right) => left - right);
    const low = all[(all.length - 1) >> 1] ?? 0;
    const high = all[all.length >> 1] ?? 0;
    return Math.abs(low) <= Math.abs(high) ? low : high;
  }
}
