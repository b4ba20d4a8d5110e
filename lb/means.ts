/**
 * What every part of the forwarder needs: the world as it is handed in, counters, and the streams
 * that are open, so that closing lets go of all of them. A door: it waits for streams.
 */

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { NodeId } from "../model/ids.ts";
import type { Clock, Random } from "../ports.ts";
import type { ForwardConfig } from "./config.ts";

/** Opens a stream to a node, for one TCP connection or for one client's datagrams. */
export type OpenStream = (
  to: NodeId,
  purpose: "forward" | "datagrams",
  signal: AbortSignal,
) => Promise<Duplex>;

/** Counts since the start, except those that say "now". */
export type Counters = {
  /** Client connections: now, and ever. */
  connectionsNow: number;
  connections: number;
  /** Clients reset because no endpoint took their connection. */
  connectionsRefused: number;
  /** Endpoints that did not take a connection, and how often another one was tried. */
  connectFailures: number;
  retries: number;
  /** First questions asked again elsewhere because their node was lost before it answered. */
  replays: number;
  /** Payload from and to TCP clients, counted as connections end. */
  bytesIn: number;
  bytesOut: number;
  /** Streams from peers: now, ever, and those that were refused for whatever reason. */
  forwardsNow: number;
  forwards: number;
  forwardsRefused: number;
  /** UDP clients: now, ever, and pushed out by others. */
  flowsNow: number;
  flows: number;
  flowsEvicted: number;
  /** From and to UDP clients, and lost on this node. */
  datagramsIn: number;
  datagramsOut: number;
  datagramsDropped: number;
};

export class Means {
  readonly clock: Clock;
  readonly random: Random;
  readonly config: ForwardConfig;
  readonly openStream: OpenStream;
  readonly counters: Counters = {
    connectionsNow: 0,
    connections: 0,
    connectionsRefused: 0,
    connectFailures: 0,
    retries: 0,
    replays: 0,
    bytesIn: 0,
    bytesOut: 0,
    forwardsNow: 0,
    forwards: 0,
    forwardsRefused: 0,
    flowsNow: 0,
    flows: 0,
    flowsEvicted: 0,
    datagramsIn: 0,
    datagramsOut: 0,
    datagramsDropped: 0,
  };
  readonly #streams = new Set<Duplex>();
  /** One function for all streams: there may be thousands a second. */
  readonly #forget: (this: Duplex) => void;
  readonly #attempts = new Set<() => void>();
  #closed = false;

  constructor(clock: Clock, random: Random, config: ForwardConfig, openStream: OpenStream) {
    this.clock = clock;
    this.random = random;
    this.config = config;
    this.openStream = openStream;
    const streams = this.#streams;
    this.#forget = function forget() {
      streams.delete(this);
    };
  }

  /** From now on its errors are not fatal ("close" follows), and closing resets it. */
  hold<Stream extends Duplex>(stream: Stream): Stream {
    this.#streams.add(stream);
    stream.on("error", ignore);
    stream.on("close", this.#forget);
    if (this.#closed || stream.destroyed) {
      this.#streams.delete(stream);
      reset(stream);
    }
    return stream;
  }

  /** Another object has taken over what this one held. */
  release(stream: Duplex): void {
    this.#streams.delete(stream);
  }

  /** Calls `cancel` at closing, or when the time is over, unless it is told first not to. */
  limit(delayMs: number, cancel: () => void): () => void {
    const stop = (): void => {
      stopClock();
      this.#attempts.delete(end);
    };
    const end = (): void => {
      stop();
      cancel();
    };
    const stopClock = this.clock.after(Math.max(0, delayMs), end);
    this.#attempts.add(end);
    return stop;
  }

  /** Resets what is open and gives up what is being tried. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const end of [...this.#attempts]) end();
    const streams = [...this.#streams];
    const closed = streams.map((stream) => new Promise((done) => stream.once("close", done)));
    for (const stream of streams) reset(stream);
    await Promise.all(closed);
  }
}

/** Ends a stream so that the other side cannot take it for a proper end. */
export function reset(stream: Duplex): void {
  if (!(stream instanceof Socket)) {
    if (!stream.destroyed) stream.destroy(new Error("the other side was reset"));
    return;
  }
  // While a shutdown is under way libuv refuses to reset (EINVAL) and the descriptor would leak.
  // All bytes and the end are with the kernel then, so closing tells the truth.
  const isShuttingDown =
    stream.writableEnded && !stream.writableFinished && stream.writableLength === 0;
  if (isShuttingDown || stream.connecting) stream.destroy();
  else stream.resetAndDestroy();
}

/** An error is told by "close" as well, with what was and was not finished before it. */
export function ignore(): void {}
