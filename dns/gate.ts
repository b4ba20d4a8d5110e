/** Who may have a TCP connection: so many in all, so many a client, so many a second. */

import type { Clock } from "../ports.ts";
import { clientOf, RateLimit } from "./rate-limit.ts";

const connectionsMax = 256;

/** One client cannot keep the others out. */
const perClientMax = 64;

/** Questions a second of one client over all its connections; a connection costs as much as ten. */
const rate = { perSecond: 5000, burst: 5000 };
const connectionCost = 10;

export class Gate {
  readonly #clock: Clock;
  readonly #limit = new RateLimit(rate);
  readonly #open = new Map<string, number>();
  #total = 0;
  #refused = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    return this.#total;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Returns what to call when the connection has gone; undefined when there is no room. */
  admit(address: string): (() => void) | undefined {
    const client = clientOf(address);
    const open = this.#open.get(client) ?? 0;
    const hasRoom = this.#total < connectionsMax && open < perClientMax;
    if (!hasRoom || !this.#limit.take(client, this.#clock.monotonicMs(), connectionCost)) {
      this.#refused++;
      return undefined;
    }
    this.#total++;
    this.#open.set(client, open + 1);
    return () => this.#release(client);
  }

  maySend(address: string): boolean {
    return this.#limit.take(clientOf(address), this.#clock.monotonicMs());
  }

  #release(client: string): void {
    this.#total--;
    const open = (this.#open.get(client) as number) - 1;
    if (open === 0) this.#open.delete(client);
    else this.#open.set(client, open);
  }
}
