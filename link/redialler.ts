/**
 * Dials whom the schedule says, for ever, and whoever is needed at once. One dial at a time to a
 * peer; who asks for it meanwhile waits for the same. A door.
 */

import type { Connection } from "@libp2p/interface";
import type { NodeId } from "../model/ids.ts";
import type { Peer } from "../ports.ts";
import type { Counters } from "./counters.ts";
import type { Dialled } from "./dial-first.ts";
import type { DialSchedule } from "./dial-schedule.ts";

/** At once, in the background: a mesh that starts costs about 10 ms of CPU a connection. */
const dialsAtOnceMax = 16;

export type RediallerOptions = {
  readonly schedule: DialSchedule;
  readonly counters: Counters;
  dial(node: NodeId, addresses: readonly string[], signal: AbortSignal): Promise<Dialled>;
  /** Says hello and waits for the other side's. */
  greet(node: NodeId, connection: Connection): Promise<void>;
};

type Dial = { readonly done: Promise<Connection>; readonly stop: AbortController };

export class Redialler {
  readonly #options: RediallerOptions;
  readonly #dials = new Map<NodeId, Dial>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RediallerOptions) {
    this.#options = options;
  }

  maintain(peers: readonly Peer[]): void {
    this.#options.schedule.maintain(peers, performance.now());
    this.#turn();
  }

  learn(node: NodeId, address: string): void {
    this.#options.schedule.learn(node, address, performance.now());
    this.#turn();
  }

  newsOfNetwork(): void {
    this.#options.schedule.newsOfNetwork(performance.now());
    this.#turn();
  }

  linkChanged(node: NodeId, state: "up" | "down"): void {
    const { schedule } = this.#options;
    if (state === "up") {
      schedule.linkUp(node, performance.now());
      // The other side was quicker. A connection that is there already stays.
      this.#dials.get(node)?.stop.abort(new Error("linked meanwhile"));
    } else {
      schedule.linkDown(node, performance.now());
    }
    this.#turn();
  }

  /** Resolves when the peer has said hello. */
  reach(node: NodeId): Promise<Connection> {
    const running = this.#dials.get(node);
    if (running !== undefined) return running.done;
    const stop = new AbortController();
    const done = this.#dial(node, stop.signal);
    this.#dials.set(node, { done, stop });
    return done;
  }

  /** Resolves when no dial runs any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const dials = [...this.#dials.values()];
    for (const { stop } of dials) stop.abort(new Error("closed"));
    await Promise.allSettled(dials.map(({ done }) => done));
  }

  async #dial(node: NodeId, signal: AbortSignal): Promise<Connection> {
    const { schedule, counters, dial, greet } = this.#options;
    let good: string | undefined;
    counters.add("dials");
    schedule.begin(node);
    try {
      const { connection, address } = await dial(node, schedule.addresses(node), signal);
      await greet(node, connection);
      good = address;
      return connection;
    } catch (error) {
      counters.add("dialsFailed");
      throw error;
    } finally {
      this.#dials.delete(node);
      schedule.end(node, good, performance.now());
      this.#turn();
    }
  }

  #turn(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const { schedule } = this.#options;
    const nowMs = performance.now();
    for (const node of schedule.due(nowMs)) {
      if (this.#dials.size >= dialsAtOnceMax) return;
      // The schedule tries again: what it failed of is counted, and no one else asked.
      this.reach(node).catch(() => {});
    }
    const next = schedule.nextDueMs();
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.#turn(), Math.max(1, next - nowMs));
  }
}
