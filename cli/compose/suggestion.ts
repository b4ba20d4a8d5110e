/**
 * "Did you mean": the nearest known word to a mistyped one.
 *
 * Source: Damerau, "A technique for computer detection and correction of spelling errors",
 * Communications of the ACM 7(3), 1964, in the restricted form: a swap of neighbours, a missing,
 * an extra or a wrong letter each count one.
 */

/** "" when nothing is near: a third of the letters may be wrong, at least one. */
export function nearest(word: string, known: readonly string[]): string {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best = "";
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Longer words than any key are not worth the squares of their length. */
const lengthMax = 64;

export function editDistance(left: string, right: string): number {
  if (left.length > lengthMax || right.length > lengthMax) return left === right ? 0 : lengthMax;
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      const above = rows[i - 1] ?? [];
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      cost = Math.min(cost, (above[j - 1] ?? 0) + (same ? 0 : 1));
      const isSwap = left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (i > 1 && j > 1 && isSwap) cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[left.length]?.[right.length] ?? 0;
}
