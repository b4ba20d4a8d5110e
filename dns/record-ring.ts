/**
 * A record set as bytes, ready to send: its records stand in a random order, twice, so that every
 * rotation of it is one slice. Each answer begins one record further: clients mostly take the
 * first address, so that is where the load goes.
 */

import type { Random } from "../ports.ts";
import { ownCopy } from "./generations.ts";

export type Slice = {
  readonly records: Buffer;
  readonly count: number;
  /** All of the set. */
  readonly whole: boolean;
};

/** What a client gets that must ask again over TCP for all: some never do, so let it be random. */
const partMax = 16;

export class RecordRing {
  readonly bytes: Buffer;
  /** Offsets into `bytes`, one more than twice the records. */
  readonly #ends: Uint32Array;
  readonly #count: number;
  #next = 0;

  /** `records` is not empty. */
  constructor(records: readonly Buffer[], random: Random) {
    const order = shuffle(records, random);
    this.bytes = ownCopy(Buffer.concat([...order, ...order]));
    this.#count = order.length;
    this.#ends = new Uint32Array(2 * order.length + 1);
    for (const [index, record] of [...order, ...order].entries()) {
      this.#ends[index + 1] = (this.#ends[index] as number) + record.length;
    }
  }

  /** The next rotation if all of it fits, else the first few records of it. */
  next(bytesMax: number): Slice {
    const first = this.#next;
    this.#next = first + 1 === this.#count ? 0 : first + 1;
    const whole = this.bytes.length / 2 <= bytesMax;
    const count = whole ? this.#count : this.#fitting(first, bytesMax);
    const records = this.bytes.subarray(this.#end(first), this.#end(first + count));
    return { records, count, whole };
  }

  /** For TCP, where there is nowhere else to ask, as many as there is room for. */
  most(bytesMax: number): Slice {
    const slice = this.next(Number.POSITIVE_INFINITY);
    if (slice.records.length <= bytesMax) return slice;
    let count = 0;
    while (this.#end(count + 1) <= bytesMax) count++;
    return { records: this.bytes.subarray(0, this.#end(count)), count, whole: false };
  }

  #fitting(first: number, bytesMax: number): number {
    const start = this.#end(first);
    let count = 0;
    while (count < partMax && this.#end(first + count + 1) - start <= bytesMax) count++;
    return count;
  }

  #end(index: number): number {
    return this.#ends[index] as number;
  }
}

/** Fisher and Yates, as Knuth has it (TAOCP volume 2, section 3.4.2, algorithm P). */
function shuffle(records: readonly Buffer[], random: Random): Buffer[] {
  const order = [...records];
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other] as Buffer, order[last] as Buffer];
  }
  return order;
}
