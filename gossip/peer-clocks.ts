/**
 * What peers' clocks say about ours. Offsets come with digest frames, one way, so they are off by
 * the delay; at the limits used here that does not matter. Pure.
 */

/** An operator's writes are refused beyond this, ms: stamps would order against the facts. */
export const skewLimitMs = 500;
/** A peer not heard for this long has no say. */
const freshMs = 120_000;

export class PeerClocks {
  readonly #offsets = new Map<string, { readonly offsetMs: number; readonly heardMs: number }>();

  hear(peer: string, theirWallMs: number, ourWallMs: number, monotonicMs: number): void {
    this.#offsets.set(peer, { offsetMs: theirWallMs - ourWallMs, heardMs: monotonicMs });
  }

  forget(peer: string): void {
    this.#offsets.delete(peer);
  }

  /**
   * How far the mesh's clock is from ours, ms; ours counts as one. Of two clocks no one can say
   * which is right, so the one ahead yields: its stamps are those that peers would hold back.
   */
  skewMs(monotonicMs: number): number {
    const peers = [...this.#offsets.values()]
      .filter(({ heardMs }) => monotonicMs - heardMs < freshMs)
      .map(({ offsetMs }) => offsetMs);
    if (peers.length === 1) return Math.min(0, peers[0] ?? 0);
    const all = [0, ...peers].sort((left, right) => left - right);
    const low = all[(all.length - 1) >> 1] ?? 0;
    const high = all[all.length >> 1] ?? 0;
    return Math.abs(low) <= Math.abs(high) ? low : high;
  }
}
