/**
 * Whether too many members went down at once for all of them to be: then it is likelier this node
 * that is cut off, and nothing is to be moved on that account. Kubernetes' node lifecycle
 * controller does the same by zones (`--unhealthy-zone-threshold`). Pure.
 */

/** Members that went down within this time went "at once", ms. */
const freezeMs = 60_000;

export type Gone = {
  readonly isDown: boolean;
  /** Monotonic ms since when it is down, if it is. */
  readonly downSinceMs: number;
  /** It was there once: a member that never came is nobody's loss. */
  readonly known: boolean;
};

/**
 * More than a third, and two at least, of those that were there until lately: a node that is long
 * gone is nobody's surprise. `untilMs` is when that may end by time alone, else infinite.
 */
export function judgeFreeze(
  others: readonly Gone[],
  nowMs: number,
): { readonly frozen: boolean; readonly untilMs: number } {
  const lately = others.filter(
    ({ isDown, downSinceMs, known }) => isDown && known && nowMs < downSinceMs + freezeMs,
  );
  const present = 1 + others.filter(({ isDown }) => !isDown).length;
  const frozen = lately.length >= 2 && lately.length * 3 > present + lately.length;
  const ends = lately.map(({ downSinceMs }) => downSinceMs + freezeMs);
  return { frozen, untilMs: Math.min(Number.POSITIVE_INFINITY, ...ends) };
}
