/** Percentiles, and the shape of a benchmark and of what it finds. See bench/main.ts. */

/** Units stand in the names: p50Ms, rssMB. Plain numbers, so that one line of JSON says all. */
export type Figures = Readonly<Record<string, number>>;

export type RunBench = (options: {
  readonly json: boolean;
  /** Progress for people; what counts is returned. */
  readonly say: (line: string) => void;
}) => Promise<Figures> | Figures;

/**
 * Nearest rank: the smallest value that `share` of all are not above. With 20 runs p99 is the
 * worst of them, which is what a promise about p99 asks for.
 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error("no values, no percentile");
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

/** One digit is more than a loaded machine repeats. */
export function rounded(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}

/** Both sides of a comparison in time. The ratio is how many times faster Shoal is. */
export function compare(shoalMs: readonly number[], swarmMs: readonly number[]): Figures {
  const p50 = percentile(shoalMs, 0.5);
  const swarmP50 = percentile(swarmMs, 0.5);
  return {
    p50Ms: rounded(p50),
    p99Ms: rounded(percentile(shoalMs, 0.99)),
    swarmP50Ms: rounded(swarmP50),
    ratio: rounded(swarmP50 / p50, 2),
  };
}
