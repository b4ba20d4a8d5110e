/**
 * The datagrams of one client at one published port. It stays with one endpoint while that is in
 * the table, and moves to another one when it leaves or fails. Not a door: links are handed in.
 */

import type { TaskId } from "../model/ids.ts";
import type { Backends } from "./backends.ts";
import type { Candidate } from "./balancer.ts";
import type { DatagramLink, LinkEvents } from "./datagram-link.ts";
import type { Means } from "./means.ts";

/** What the flows of one port share. */
export type FlowHome = {
  readonly means: Pick<Means, "clock" | "config" | "counters">;
  /** Whoever has the port now. */
  readonly backends: () => Backends;
  readonly open: (candidate: Candidate, backends: Backends, events: LinkEvents) => DatagramLink;
  /** Bytes that all flows keep. */
  keptBytes: number;
};

/** What a flow has with its present endpoint. */
type Stay = {
  readonly backends: Backends;
  readonly candidate: Candidate;
  readonly startedMs: number;
  link: DatagramLink | undefined;
  hasAnswered: boolean;
};

export class UdpFlow {
  readonly #home: FlowHome;
  readonly #answer: (datagram: Buffer) => void;
  /** Sent since the stay began, and not yet answered. */
  #kept: Buffer[] = [];
  #stay: Stay | undefined;
  readonly #tried = new Set<TaskId>();
  /** When something was last sent or received. */
  heardMs: number;

  constructor(home: FlowHome, answer: (datagram: Buffer) => void) {
    this.#home = home;
    this.#answer = answer;
    this.heardMs = home.means.clock.monotonicMs();
  }

  send(datagram: Buffer, nowMs: number): void {
    this.heardMs = nowMs;
    const { counters } = this.#home.means;
    let stay = this.#stay;
    if (stay !== undefined && !this.#mayStay(stay)) {
      this.#leave();
      stay = undefined;
    }
    if (stay === undefined) {
      this.#tried.clear();
      stay = this.#move();
    }
    if (stay === undefined) {
      counters.datagramsDropped++;
      return;
    }
    const isKept = !stay.hasAnswered && this.#keep(datagram, stay, nowMs);
    if (stay.link?.isReady) stay.link.send(datagram);
    else if (!isKept) counters.datagramsDropped++;
  }

  close(): void {
    this.#leave();
    this.#forget();
  }

  #mayStay({ backends, candidate }: Stay): boolean {
    return candidate.listed && backends === this.#home.backends();
  }

  /** To the next endpoint; undefined when there is none. */
  #move(): Stay | undefined {
    const { means, open } = this.#home;
    const backends = this.#home.backends();
    const nowMs = means.clock.monotonicMs();
    const candidate = backends.balancer.pick(nowMs, this.#tried);
    if (candidate === undefined) return undefined;
    this.#tried.add(candidate.endpoint.task);
    backends.balancer.begin(candidate);
    const stay: Stay = {
      backends,
      candidate,
      startedMs: nowMs,
      link: undefined,
      hasAnswered: false,
    };
    this.#stay = stay;
    stay.link = open(candidate, backends, {
      ready: () => {
        for (const datagram of this.#kept) stay.link?.send(datagram);
      },
      datagram: (datagram) => this.#receive(stay, datagram),
      failed: () => this.#fail(stay),
    });
    return stay;
  }

  #receive(stay: Stay, datagram: Buffer): void {
    const nowMs = this.#home.means.clock.monotonicMs();
    this.heardMs = nowMs;
    if (!stay.hasAnswered) {
      stay.hasAnswered = true;
      stay.backends.balancer.answered(stay.candidate, nowMs - stay.startedMs, nowMs);
      this.#forget();
    }
    this.#answer(datagram);
  }

  #fail(stay: Stay): void {
    const { clock, config, counters } = this.#home.means;
    stay.backends.balancer.failed(stay.candidate, clock.monotonicMs());
    counters.connectFailures++;
    this.#leave();
    // One that had answered owes nothing: the next datagram looks for another one.
    if (this.#kept.length === 0) return;
    if (this.#tried.size < config.triesMax && this.#move() !== undefined) {
      counters.retries++;
      return;
    }
    counters.datagramsDropped += this.#kept.length;
    this.#forget();
  }

  #leave(): void {
    const stay = this.#stay;
    if (stay === undefined) return;
    this.#stay = undefined;
    stay.link?.close();
    stay.backends.balancer.finish(stay.candidate);
  }

  /** Keeps a datagram for another endpoint, as long as the first one may still refuse. */
  #keep(datagram: Buffer, { startedMs }: Stay, nowMs: number): boolean {
    const { config } = this.#home.means;
    if (nowMs - startedMs > config.connectMs) {
      this.#forget();
      return false;
    }
    const hasRoom = this.#home.keptBytes + datagram.length <= config.keptBytesMax;
    if (this.#kept.length >= config.keptMax || !hasRoom) return false;
    this.#kept.push(datagram);
    this.#home.keptBytes += datagram.length;
    return true;
  }

  #forget(): void {
    for (const { length } of this.#kept) this.#home.keptBytes -= length;
    this.#kept = [];
  }
}
