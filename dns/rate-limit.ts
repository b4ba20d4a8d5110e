/**
 * Token buckets by client (Turner, "New Directions in Communications", IEEE Communications
 * Magazine 24(10), 1986): a client may spend `burst` at once and earns `perSecond`. Bounded: the
 * clients that were seen longest ago are forgotten, which gives them a full bucket again.
 */

import { parseAddress } from "./address.ts";

export type Rate = { readonly perSecond: number; readonly burst: number };

type Bucket = { tokens: number; atMs: number };

/** A flood of forged addresses gets no more than this: some 500 KB. */
const clientsMax = 4096;

export class RateLimit {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes `cost` tokens of the client if it has them. */
  take(client: string, nowMs: number, cost = 1): boolean {
    const bucket = this.#touch(client, nowMs);
    const earned = ((nowMs - bucket.atMs) * this.#rate.perSecond) / 1000;
    bucket.tokens = Math.min(this.#rate.burst, bucket.tokens + earned);
    bucket.atMs = nowMs;
    if (bucket.tokens < cost) return false;
    bucket.tokens -= cost;
    return true;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** A Map keeps the order of insertion: the first is the one touched longest ago. */
  #touch(client: string, nowMs: number): Bucket {
    const known = this.#buckets.get(client);
    const bucket = known ?? { tokens: this.#rate.burst, atMs: nowMs };
    if (known !== undefined) this.#buckets.delete(client);
    else if (this.#buckets.size >= clientsMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    this.#buckets.set(client, bucket);
    return bucket;
  }
}

/** One IPv6 client has a whole /64 of addresses to come from. */
export function clientOf(address: string): string {
  const bytes = parseAddress(address);
  return bytes === undefined || bytes.length === 4 ? address : bytes.subarray(0, 8).join(".");
}
