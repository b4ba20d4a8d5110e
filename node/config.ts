/**
 * The agent's settings. Each field says meaning, unit, constraint and how to choose. `defaults`
 * is for real hosts; `simulated` differs only where virtual time makes a finer step pointless.
 */

export type Config = {
  /**
   * How long changes are gathered before they are broadcast, ms. 20 to 50: below it a burst of
   * task changes costs a signature each, above it people notice.
   */
  readonly flushMs: number;
  /** Anti-entropy with one random peer: least and most ms between rounds; doubles while equal. */
  readonly syncMinMs: number;
  readonly syncMaxMs: number;
  /** Least ms between two looks at desired against observed. */
  readonly reconcileMs: number;
  /** A look is taken at least this often even when nothing was heard, ms. */
  readonly idleReconcileMs: number;
  /** How long a replica must be given to this node before it starts it, ms: two gossip rounds. */
  readonly startAfterMs: number;
  /** How long a replacement must have been ready elsewhere before ours begins to drain, ms. */
  readonly settleMs: number;
  /** From the end of new traffic to the stop signal, ms. More than propagation's p99. */
  readonly drainMs: number;
  /** First wait before a failed replica is tried again, ms; doubles with each failure. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** A task that ran this long clears the count of failures, ms. */
  readonly forgivenMs: number;
  /** For how long a node that cannot run a replica says so, ms; the next in rank takes over. */
  readonly noFitMs: number;
  /** An engine gone for longer than this gives up its replicas, ms. */
  readonly engineGraceMs: number;
  /** Ended tasks kept per replica, for `ps` and for counting an update's failures. */
  readonly endedTasksKept: number;
  /** How long an ended task stays with the engine, so that its log can be read, ms. */
  readonly endedTaskKeptMs: number;
};

export const defaults: Config = {
  flushMs: 25,
  syncMinMs: 1_000,
  syncMaxMs: 15_000,
  reconcileMs: 20,
  idleReconcileMs: 1_000,
  startAfterMs: 150,
  settleMs: 500,
  drainMs: 2_000,
  retryMinMs: 500,
  retryMaxMs: 60_000,
  forgivenMs: 60_000,
  noFitMs: 30_000,
  engineGraceMs: 10_000,
  endedTasksKept: 3,
  endedTaskKeptMs: 600_000,
};

export const simulated: Config = { ...defaults, flushMs: 40, reconcileMs: 40 };
