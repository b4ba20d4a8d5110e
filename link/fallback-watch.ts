/**
 * One member that is probed over UDP and, where UDP does not get through, over a stream of the
 * link to it: whose word counts, and when the stream is asked. Pure; link/fallback-probes.ts runs
 * one per member.
 *
 * UDP tells within a second, since a thread answers it; a stream waits for two event loops and for
 * whatever is sent before it (300 ms under load, a second under bulk were measured), so its silence
 * means something only after 2.5 to 3 s. Hence UDP's silence is said at once wherever UDP worked,
 * and the stream may only take it back. What UDP's silence is worth is learnt:
 *
 *   worth     UDP says      link  stream          said              worth then
 *   untried   nothing yet   any   not asked       nothing           untried
 *   untried   it answers    any   not asked       reachable (hung)  trusted
 *   untried   silent        down  not asked       unreachable       untried
 *   untried   silent        up    is asked        nothing           doubted
 *   trusted   it answers    any   not asked       reachable (hung)  trusted
 *   trusted   silent        any   is asked if up  unreachable       trusted
 *   untried,  silent        up    answers         reachable         doubted
 *    trusted
 *   doubted   it answers    any   is asked if up  reachable (hung)  trusted after `settleMs`
 *   doubted   silent, none  up    answers         reachable         doubted
 *   doubted   silent, none  up    5 misses        unreachable       doubted
 *   doubted   silent, none  down  2 misses        unreachable       doubted
 *
 * A member that has no UDP is in doubt from the start, and untried as soon as it has.
 *
 * A miss is a turn that found the last question unanswered, not a time that has passed: however
 * long this process stood still, that is one turn. Any answer takes all misses back. An answer
 * proves life at the moment it was asked for, and while UDP is trusted nothing is asked before UDP
 * fell silent: no old answer can hide a death from it.
 */

import type { NodeId } from "../model/ids.ts";
import type { ProbeVerdict } from "../ports.ts";

export type FallbackTimes = {
  /** Between two turns, ms: a stream that is asked is asked so often. */
  readonly turnMs: number;
  /** Misses in a row that make a linked member unreachable. */
  readonly missesMax: number;
  /** The same without a link: a broken one is dialled again within 400 ms. */
  readonly unlinkedMissesMax: number;
  /** UDP that was found wanting is trusted again after answering for so long, ms. */
  readonly settleMs: number;
  /** A verdict that did not change is repeated this often, ms. */
  readonly refreshMs: number;
};

/** A death is seen after 2.5 to 3 s, after a reset within a second. */
export const fallbackTimes: FallbackTimes = {
  turnMs: 500,
  missesMax: 5,
  unlinkedMissesMax: 2,
  settleMs: 5_000,
  refreshMs: 5_000,
};

/** What to do with the stream: `anew` because the open one may be stuck. */
export type StreamOrder = "ask" | "ask-anew" | "drop" | "none";

export class FallbackWatch {
  readonly #times: FallbackTimes;
  #isLinked: boolean;
  #isTried = true;
  /** What UDP's silence is worth. */
  #worth: "untried" | "trusted" | "doubted" = "untried";
  /** What UDP said last; undefined before, and where there is no UDP. */
  #udp: ProbeVerdict | undefined;
  /** Since when it answers, or is silent. */
  #udpSinceMs = 0;
  #stream: "unheard" | "answers" | "silent" = "unheard";
  #isWaiting = false;
  #misses = 0;
  #rttMs = 0;
  #said: ProbeVerdict["state"] | undefined;
  #saidMs = 0;

  constructor(times: FallbackTimes, isLinked: boolean) {
    this.#times = times;
    this.#isLinked = isLinked;
  }

  /** Level: whether UDP is tried at all. */
  tryUdp(isTried: boolean): StreamOrder {
    if (isTried === this.#isTried) return "none";
    this.#isTried = isTried;
    this.#udp = undefined;
    this.#worth = isTried ? "untried" : "doubted";
    return isTried ? this.#rest() : this.#ask();
  }

  /** What the stream says counts, or may soon. */
  needsTurns(): boolean {
    if (this.#isLinked) return this.#counts();
    return this.#counts() && this.#said !== "unreachable";
  }

  changeLink(state: "up" | "down"): StreamOrder {
    this.#isLinked = state === "up";
    if (this.#isLinked) return this.#ask();
    this.#isWaiting = false;
    return "drop";
  }

  hearUdp(verdict: ProbeVerdict, nowMs: number): StreamOrder {
    const isSilent = verdict.state === "unreachable";
    if (this.#udp === undefined || isSilent !== this.#isSilent()) this.#udpSinceMs = nowMs;
    this.#udp = verdict;
    if (this.#worth === "untried") {
      if (!isSilent) this.#worth = "trusted";
      else if (this.#isLinked) this.#worth = "doubted";
    }
    // What UDP says again is passed on again.
    if (this.#state() === verdict.state) this.#said = undefined;
    return isSilent ? this.#ask() : this.#counts() ? "none" : this.#rest();
  }

  answer(rttMs: number): void {
    this.#isWaiting = false;
    this.#misses = 0;
    this.#rttMs = rttMs;
    this.#stream = "answers";
    if (this.#isSilent()) this.#worth = "doubted";
  }

  /** The stream broke, or there is none to be had. */
  fail(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#miss();
  }

  turn(nowMs: number): StreamOrder {
    if (this.#udp !== undefined && !this.#isSilent() && this.#worth === "doubted") {
      if (nowMs - this.#udpSinceMs >= this.#times.settleMs) this.#worth = "trusted";
    }
    if (!this.#counts()) return this.#rest();
    if (!this.#isWaiting && this.#isLinked) return this.#ask();
    this.#miss();
    const isStuck = this.#isWaiting && this.#misses % this.#times.missesMax === 0;
    return isStuck ? "ask-anew" : "none";
  }

  /** What there is to say: a change, or an old verdict again. */
  report(node: NodeId, nowMs: number): ProbeVerdict | undefined {
    const state = this.#state();
    if (state === undefined) return undefined;
    if (state === this.#said && nowMs < this.#saidMs + this.#times.refreshMs) return undefined;
    this.#said = state;
    this.#saidMs = nowMs;
    const isUdp = this.#udp !== undefined && !this.#isSilent();
    return { node, state, rttMs: isUdp ? (this.#udp?.rttMs ?? 0) : this.#rttMs };
  }

  #state(): ProbeVerdict["state"] | undefined {
    if (this.#worth !== "doubted") return this.#udp?.state;
    if (this.#udp !== undefined && !this.#isSilent()) return this.#udp.state;
    if (this.#stream === "unheard") return undefined;
    return this.#stream === "answers" ? "reachable" : "unreachable";
  }

  #isSilent(): boolean {
    return this.#udp?.state === "unreachable";
  }

  #counts(): boolean {
    return this.#worth === "doubted" || this.#isSilent();
  }

  #ask(): StreamOrder {
    if (!this.#isLinked || this.#isWaiting || !this.#counts()) return "none";
    this.#isWaiting = true;
    return "ask";
  }

  #rest(): StreamOrder {
    this.#isWaiting = false;
    this.#misses = 0;
    this.#stream = "unheard";
    return "drop";
  }

  #miss(): void {
    this.#misses++;
    const { missesMax, unlinkedMissesMax } = this.#times;
    if (this.#misses >= (this.#isLinked ? missesMax : unlinkedMissesMax)) this.#stream = "silent";
  }
}
