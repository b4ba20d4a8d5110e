/**
 * How long a node stays suspect before it counts as down: the fewer of its observers accuse it,
 * the longer it is given to refute.
 *
 * Source: Dadgar, Phillips and Currey, "Lifeguard: Local Health Awareness for More Accurate
 * Failure Detection", 2018, section IV.B: the timeout falls with the logarithm of independent
 * confirmations. We depart from it in that confirmations are counted against the majority of the
 * node's own observers, and in shorter limits: probes do not wait for a busy event loop here.
 */

export const suspicion = {
  /** With a majority, ms: an accusation's way to the accused and its answer's way back, twice. */
  leastMs: 400,
  /** With one accuser among several observers, ms: its own link is the likelier culprit. */
  mostMs: 5_000,
} as const;

/** From the first accusation to the verdict. `electors` are the observers whose word counts. */
export function suspicionTimeoutMs(accusers: number, electors: number): number {
  const majority = Math.floor(electors / 2) + 1;
  if (accusers >= majority) return suspicion.leastMs;
  const { leastMs, mostMs } = suspicion;
  const share = Math.log(Math.max(1, accusers)) / Math.log(majority);
  return mostMs - (mostMs - leastMs) * share;
}
