/**
 * What the prober's two threads share without messages: the main loop's heartbeat, which must be
 * readable while that loop is stuck, and the worker's counters.
 */

const counters = [
  "probesSent",
  "probesAnswered",
  "answersTaken",
  /** Not sealed with this mesh's secret: another mesh, or rubbish. */
  "unsealed",
  /** Sealed with it, and not by whom it says. */
  "unproven",
  /** Seen before. */
  "replayed",
  /** For another node, by a member that is not probed, or not waited for any more. */
  "strays",
  "sendFailures",
  /** How often the worker itself came late or was asleep. */
  "stalls",
] as const;

export type ProbeCounter = (typeof counters)[number];
export type ProbeStats = Readonly<Record<ProbeCounter, number>> & {
  /** How often the worker had to be started again. */
  readonly restarts: number;
};

/** One cell for the heartbeat, one for each counter, 64 bits each. */
const boardBytes = 8 * (1 + counters.length);

export class ProbeBoard {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(boardBytes)) {
    this.buffer = buffer;
    this.#cells = new BigInt64Array(buffer);
  }

  /** By a clock that all threads of the process share, ns. */
  beat(nowNs: bigint): void {
    Atomics.store(this.#cells, 0, nowNs);
  }

  beatNs(): bigint {
    return Atomics.load(this.#cells, 0);
  }

  count(counter: ProbeCounter): void {
    Atomics.add(this.#cells, 1 + counters.indexOf(counter), 1n);
  }

  stats(restarts: number): ProbeStats {
    const read = (index: number) => Number(Atomics.load(this.#cells, 1 + index));
    const entries = counters.map((counter, index) => [counter, read(index)] as const);
    return { ...(Object.fromEntries(entries) as Record<ProbeCounter, number>), restarts };
  }
}
