/**
 * The nonces of signed requests seen lately: each is good once. Two buckets that take turns, so
 * that forgetting costs nothing: a nonce is remembered for one period at least, two at most.
 * Bounded: when a bucket is full, further requests are refused, never let through.
 */

import { requestWindowMs } from "../trust/request.ts";

/** A request is good from a window before to a window after the time it names. */
const periodMs = 2 * requestWindowMs;
/** 100 bytes each. Nobody's hands or scripts send 500 requests a second to one node for long. */
const noncesMax = 65_536;
/** One person's script that runs wild leaves room for the others. */
const noncesOfOneMax = 16_384;

type Bucket = { readonly seen: Set<string>; readonly counts: Map<string, number> };

export class Nonces {
  #young: Bucket = emptyBucket();
  #old: Bucket = emptyBucket();
  #youngSinceMs = 0;

  get size(): number {
    return this.#young.seen.size + this.#old.seen.size;
  }

  /** `nowMs` is wall time, which may jump either way; only a whole period turns the buckets. */
  use(principal: string, nonce: string, nowMs: number): "fresh" | "used" | "full" {
    this.#turn(nowMs);
    const entry = `${principal} ${nonce}`;
    if (this.#young.seen.has(entry) || this.#old.seen.has(entry)) return "used";
    const { seen, counts } = this.#young;
    const count = counts.get(principal) ?? 0;
    if (seen.size >= noncesMax || count >= noncesOfOneMax) return "full";
    seen.add(entry);
    counts.set(principal, count + 1);
    return "fresh";
  }

  #turn(nowMs: number): void {
    const passedMs = Math.abs(nowMs - this.#youngSinceMs);
    if (passedMs < periodMs) return;
    this.#old = passedMs < 2 * periodMs ? this.#young : emptyBucket();
    this.#young = emptyBucket();
    this.#youngSinceMs = nowMs;
  }
}

function emptyBucket(): Bucket {
  return { seen: new Set(), counts: new Map() };
}
