/**
 * One probed member: when it is probed next and at which addresses, and what its answers and its
 * silence mean. Pure; link/probe-schedule.ts runs one per member, here and in the simulator.
 *
 * A round is one probe, sent to one address while all is well and to three while in doubt, each
 * with a sequence number of its own, so that an answer tells which address works. A round that
 * nobody answered in time is a miss; after the first the next ones follow quickly, and a few in a
 * row are a verdict. An answer proves life at the moment its round was sent: it takes back the
 * misses of that round and of those before it, however late it comes, and none of those after it.
 *
 * Sources: Das, Gupta and Motivala, "SWIM", DSN 2002, section 3 (probes with a timeout); RFC 6298
 * section 2 (timeouts from the round trip and its variance); Dadgar, Phillips and Currey,
 * "Lifeguard", 2017 (arXiv 1707.00788), section IV.A (patience). We depart from SWIM in that there
 * are no indirect probes: a majority of a member's observers judges.
 */

import type { NodeId } from "../model/ids.ts";
import type { ProbeTarget, ProbeVerdict } from "../ports.ts";

/** All in ms, but for `jitter` and `missesMax`. */
export type ProbeTimes = {
  /** Between two probes of a member that answers. 250 to 750: a death waits for the next one. */
  readonly intervalMs: number;
  /** Share of the interval by which it varies either way: observers must not march in step. */
  readonly jitter: number;
  /** Least and most time for an answer; in between, what the round trips seen so far ask for. */
  readonly timeoutMinMs: number;
  readonly timeoutMaxMs: number;
  /** Between two probes of a member in doubt. */
  readonly doubtIntervalMs: number;
  /** Misses in a row that make a member unreachable. */
  readonly missesMax: number;
  /** The same as above for a member whose connection was reset. */
  readonly hastyIntervalMs: number;
  readonly hastyTimeoutMs: number;
  /** A main loop that has not turned for longer is hung. Well above any computation of ours. */
  readonly hungMs: number;
  /** A verdict that did not change is repeated this often. */
  readonly refreshMs: number;
  /** Own timers later than this: what was missed meanwhile is our own fault. */
  readonly stallMs: number;
};

/** A death is seen after 400 to 1,360 ms, after a reset within 200 ms. */
export const probeTimes: ProbeTimes = {
  intervalMs: 700,
  jitter: 0.2,
  timeoutMinMs: 200,
  timeoutMaxMs: 1_000,
  doubtIntervalMs: 100,
  missesMax: 3,
  hastyIntervalMs: 50,
  hastyTimeoutMs: 80,
  hungMs: 3_000,
  refreshMs: 5_000,
  stallMs: 100,
};

type Round = {
  /** Sequence number of the first address; the others follow. */
  readonly first: number;
  readonly addresses: readonly string[];
  readonly sentMs: number;
  deadlineMs: number;
  missed: boolean;
  /** False when we slept in between: the round trip would measure our own nap. */
  timed: boolean;
};

export type RoundOptions = {
  readonly sequence: number;
  /** From -1 to 1. */
  readonly dice: number;
  /** Factor on timeouts, 1 when this machine keeps its own time. */
  readonly patience: number;
};

/** Rounds that may still be answered: 2 s at the pace of doubt. */
const roundsKept = 20;
/** Addresses of one round: the best and two others in turn. */
const addressesPerRound = 3;
/** What a member may list (model/documents.ts). */
const addressesMax = 8;

export class ProbeWatch {
  readonly node: NodeId;
  readonly #times: ProbeTimes;
  #addresses: readonly string[] = [];
  /** The one that answered last. */
  #proven: string | undefined;
  /** Where the member's own probes come from. Only tried: it becomes proven by answering. */
  #heard: string | undefined;
  #turn = 0;
  #rounds: Round[] = [];
  #roundDueMs: number;
  /** When its connection was reset; undefined when it is probed at the usual pace. */
  #hastenedMs: number | undefined;
  #answered = false;
  #rttMs = 0;
  #deviationMs = 0;
  #lagMs = 0;
  #said: ProbeVerdict["state"] | undefined;
  #saidMs = 0;

  constructor(target: ProbeTarget, times: ProbeTimes, firstMs: number) {
    this.node = target.node;
    this.#times = times;
    this.#roundDueMs = firstMs;
    this.retarget(target);
  }

  retarget(target: ProbeTarget): void {
    this.#addresses = target.addresses.slice(0, addressesMax);
  }

  /** When `expire` or `round` has something to do next. */
  dueMs(): number {
    const waiting = this.#rounds.filter(({ missed }) => !missed);
    return Math.min(this.#roundDueMs, ...waiting.map(({ deadlineMs }) => deadlineMs));
  }

  hasten(nowMs: number): void {
    this.#hastenedMs = nowMs;
    this.#roundDueMs = nowMs;
  }

  hear(address: string): void {
    this.#heard = address;
  }

  /** Whether the answer was waited for. `lagMs`: since the member's main loop turned last. */
  answer(sequence: number, lagMs: number, nowMs: number): boolean {
    const at = this.#rounds.findIndex(
      ({ first, addresses }) => sequence >= first && sequence < first + addresses.length,
    );
    const round = this.#rounds[at];
    if (round === undefined) return false;
    this.#rounds.splice(0, at + 1);
    this.#proven = round.addresses[sequence - round.first];
    this.#lagMs = lagMs;
    if (round.timed) this.#measure(Math.max(0, nowMs - round.sentMs));
    this.#answered = true;
    if (this.#hastenedMs !== undefined && round.sentMs >= this.#hastenedMs) {
      this.#hastenedMs = undefined;
      // Somebody doubts it because of the reset: say once more that it answers.
      this.#said = undefined;
    }
    return true;
  }

  /** We were not looking: rounds on their way may still be answered, and are no misses if not. */
  forgive(nowMs: number): void {
    this.#roundDueMs = Math.min(this.#roundDueMs, nowMs);
    for (const round of this.#rounds) {
      if (round.missed) continue;
      round.deadlineMs = Number.POSITIVE_INFINITY;
      round.timed = false;
    }
  }

  /** Counts what is overdue. */
  expire(nowMs: number): void {
    const before = this.#misses();
    for (const round of this.#rounds) {
      if (round.deadlineMs <= nowMs) round.missed = true;
    }
    const misses = this.#misses();
    if (before === 0 && misses > 0) this.#roundDueMs = Math.min(this.#roundDueMs, nowMs);
    if (misses >= this.#times.missesMax) this.#hastenedMs = undefined;
  }

  /** The addresses to probe now, numbered from `sequence` on; empty when it is not time. */
  round(nowMs: number, options: RoundOptions): readonly string[] {
    if (nowMs < this.#roundDueMs - this.#slackMs()) return [];
    this.#roundDueMs = nowMs + this.#pauseMs(options.dice);
    const addresses = this.#choose();
    if (addresses.length === 0) return [];
    this.#rounds.push({
      first: options.sequence,
      addresses,
      sentMs: nowMs,
      deadlineMs: nowMs + this.#timeoutMs() * options.patience,
      missed: false,
      timed: true,
    });
    if (this.#rounds.length > roundsKept) this.#rounds.shift();
    return addresses;
  }

  /** What there is to say: a change, or an old verdict again. */
  report(nowMs: number): ProbeVerdict | undefined {
    const state = this.#state();
    if (state === undefined) return undefined;
    if (state === this.#said && nowMs < this.#saidMs + this.#times.refreshMs) return undefined;
    this.#said = state;
    this.#saidMs = nowMs;
    return { node: this.node, state, rttMs: this.#rttMs };
  }

  #state(): ProbeVerdict["state"] | undefined {
    if (this.#misses() >= this.#times.missesMax) return "unreachable";
    if (!this.#answered) return undefined;
    return this.#lagMs >= this.#times.hungMs ? "hung" : "reachable";
  }

  #misses(): number {
    return this.#rounds.reduce((misses, { missed }) => misses + (missed ? 1 : 0), 0);
  }

  #pauseMs(dice: number): number {
    const misses = this.#misses();
    if (this.#hastenedMs !== undefined) return this.#times.hastyIntervalMs;
    if (misses > 0 && misses < this.#times.missesMax) return this.#times.doubtIntervalMs;
    return this.#times.intervalMs * (1 + this.#times.jitter * dice);
  }

  /** A calm round goes out early with those of other members, so that they wake us once. */
  #slackMs(): number {
    return this.#isCalm() ? (this.#times.intervalMs * this.#times.jitter) / 2 : 0;
  }

  #isCalm(): boolean {
    return this.#misses() === 0 && this.#hastenedMs === undefined;
  }

  #timeoutMs(): number {
    const { timeoutMinMs, timeoutMaxMs, hastyTimeoutMs } = this.#times;
    const least = this.#hastenedMs === undefined ? timeoutMinMs : hastyTimeoutMs;
    return Math.min(timeoutMaxMs, Math.max(least, this.#rttMs + 4 * this.#deviationMs));
  }

  /** RFC 6298, 2.2 and 2.3. */
  #measure(rttMs: number): void {
    if (!this.#answered) {
      this.#rttMs = rttMs;
      this.#deviationMs = rttMs / 2;
      return;
    }
    this.#deviationMs += (Math.abs(this.#rttMs - rttMs) - this.#deviationMs) / 4;
    this.#rttMs += (rttMs - this.#rttMs) / 8;
  }

  #choose(): string[] {
    if (this.#proven !== undefined && this.#isCalm()) return [this.#proven];
    const heard = this.#heard === undefined ? [] : [this.#heard];
    const others = [...new Set([...heard, ...this.#addresses])].filter(
      (address) => address !== this.#proven,
    );
    const chosen = this.#proven === undefined ? [] : [this.#proven];
    for (let tried = 0; tried < others.length && chosen.length < addressesPerRound; tried++) {
      chosen.push(others[this.#turn++ % others.length] as string);
    }
    return chosen;
  }
}
