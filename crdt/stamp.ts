/**
 * The order of an operator's writes: generation first, so that a far-future clock cannot beat an
 * edit made in knowledge of it; then a hybrid clock; then the writer, so that no two writes tie.
 *
 * Source of the clock: Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in
 * Globally Distributed Databases", 2014, section 3. We depart from it in bounding how far ahead a
 * stamp may be (gossip/store.ts), not here.
 */

export type Stamp = {
  /** One more than the greatest generation that the writer had seen of this document. */
  readonly generation: number;
  /** Unix ms. */
  readonly timeMs: number;
  readonly counter: number;
  /** The key that signed. */
  readonly writer: string;
};

export type HybridTime = { readonly timeMs: number; readonly counter: number };

/** Negative when `left` is older. Zero only for one and the same write. */
export function compareStamps(left: Stamp, right: Stamp): number {
  return (
    left.generation - right.generation ||
    left.timeMs - right.timeMs ||
    left.counter - right.counter ||
    compareText(left.writer, right.writer)
  );
}

/** The time of a new event after `last`, at the wall clock's word or just past `last`. */
export function advance(last: HybridTime, wallMs: number): HybridTime {
  if (wallMs > last.timeMs) return { timeMs: wallMs, counter: 0 };
  return { timeMs: last.timeMs, counter: last.counter + 1 };
}

/** The greatest of two times: what is to be passed by the next `advance`. */
export function observe(last: HybridTime, seen: HybridTime): HybridTime {
  const newer = seen.timeMs - last.timeMs || seen.counter - last.counter;
  return newer > 0 ? seen : last;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
