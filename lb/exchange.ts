/**
 * What one connection tells the balancer: how long the first answer took, or that the endpoint
 * hung up instead. Only the first question and answer are timed: later ones may be minutes apart
 * for reasons of the client's. Pure.
 */

import type { Clock } from "../ports.ts";
import type { Balancer, Candidate } from "./balancer.ts";

export class Exchange {
  readonly #balancer: Balancer;
  readonly #candidate: Candidate;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #hangUpMs: number;
  readonly #connectMs: number;
  readonly #connectedMs: number;
  #askedMs: number | undefined;
  #state: "waiting" | "judged" | "finished" = "waiting";

  /** Begins when the endpoint has taken the connection, which was asked of it at `startedMs`. */
  constructor(
    balancer: Balancer,
    candidate: Candidate,
    clock: Pick<Clock, "monotonicMs">,
    startedMs: number,
    hangUpMs: number,
  ) {
    this.#balancer = balancer;
    this.#candidate = candidate;
    this.#clock = clock;
    this.#hangUpMs = hangUpMs;
    this.#connectedMs = clock.monotonicMs();
    this.#connectMs = this.#connectedMs - startedMs;
  }

  /** The client's first bytes have gone out. One that speaks second is asked by connecting. */
  asked(): void {
    this.#askedMs ??= this.#clock.monotonicMs();
  }

  /** The endpoint's first bytes are here. */
  answered(): void {
    if (this.#state !== "waiting") return;
    this.#state = "judged";
    const nowMs = this.#clock.monotonicMs();
    this.#balancer.answered(
      this.#candidate,
      this.#connectMs + nowMs - (this.#askedMs ?? this.#connectedMs),
      nowMs,
    );
  }

  /** The endpoint ended or reset while its client had more to say. */
  hungUp(): void {
    if (this.#state !== "waiting") return;
    this.#state = "judged";
    const nowMs = this.#clock.monotonicMs();
    // Some proxies in front of a dead task take each connection and drop it at once.
    if (nowMs - this.#connectedMs < this.#hangUpMs) this.#balancer.failed(this.#candidate, nowMs);
  }

  finished(): void {
    if (this.#state === "finished") return;
    this.#state = "finished";
    this.#balancer.finish(this.#candidate);
  }
}
