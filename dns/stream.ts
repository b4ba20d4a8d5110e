/**
 * One TCP client: messages with two bytes of length before each (RFC 1035 section 4.2.2), as many
 * in a row as the client likes, answered as the answers come (RFC 7766). Every bound is here: of
 * bytes held, of questions at once, of time for a message, for reading our replies and for doing
 * nothing. A client that sends more than it should is read slower, never buffered.
 */

import type { Clock } from "../ports.ts";
import { headerBytes, queryBytesMax } from "./query.ts";

/** What is used of a socket. */
export interface StreamSocket {
  /** False when its buffer is full, until `drained`. */
  write(bytes: Buffer): boolean;
  pause(): void;
  resume(): void;
  end(): void;
  destroy(): void;
}

export type StreamParts = {
  readonly socket: StreamSocket;
  readonly serve: (message: Buffer, send: (reply: Buffer) => void) => void;
  /** Whether the client may have another question answered now. */
  readonly mayServe: () => boolean;
  readonly clock: Clock;
};

/** Questions of one client that wait for an answer. */
const inFlightMax = 16;

/** Questions before others get their turn: half a millisecond's work. */
const turnMax = 64;

/** How soon a client that asks too fast is looked at again. */
const pauseMs = 50;

/**
 * How long a client may be in a state, ms. `partial`: within a message, which comes in one piece
 * from anyone honest. `blocked`: not reading what we wrote. `closing`: not taking the last bytes.
 * RFC 7766 section 6.2.3 wants idle connections kept for seconds. Nothing limits `waiting`, for an
 * answer, and `busy`, with more than we take: it is us who are slow then.
 */
const patienceMs = {
  idle: 10_000,
  partial: 5000,
  blocked: 5000,
  closing: 5000,
  waiting: Number.POSITIVE_INFINITY,
  busy: Number.POSITIVE_INFINITY,
};

/** How often deadlines are looked at. */
const watchMs = 1000;

type State = keyof typeof patienceMs;

export class Stream {
  readonly #parts: StreamParts;
  #bytes: Buffer = Buffer.alloc(0);
  #inFlight = 0;
  #blocked = false;
  #ended = false;
  #closed = false;
  #pumping = false;
  #state: State = "idle";
  #deadlineMs: number;
  #cancelWatch: () => void;
  #cancelPump: (() => void) | undefined;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#deadlineMs = parts.clock.monotonicMs() + patienceMs.idle;
    this.#cancelWatch = parts.clock.after(watchMs, () => this.#watch());
  }

  received(chunk: Buffer): void {
    if (this.#ended || this.#closed) return;
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    this.#pump();
  }

  /** What was written has gone. */
  drained(): void {
    this.#blocked = false;
    this.#pump();
  }

  /** The client sends no more, and still wants its answers. */
  ended(): void {
    this.#ended = true;
    this.#pump();
  }

  closed(): void {
    this.#closed = true;
    this.#bytes = Buffer.alloc(0);
    this.#cancelWatch();
    this.#cancelPump?.();
  }

  #pump(): void {
    if (this.#closed || this.#pumping) return;
    this.#pumping = true;
    let served = 0;
    while (!this.#isHeld() && this.#hasMessage()) {
      if (served === turnMax) this.#pumpLater(0);
      else if (!this.#parts.mayServe()) this.#pumpLater(pauseMs);
      else {
        served++;
        this.#serveNext();
      }
    }
    this.#pumping = false;
    this.#settle(served > 0);
  }

  #isHeld(): boolean {
    const isWaiting = this.#cancelPump !== undefined;
    return this.#closed || isWaiting || this.#blocked || this.#inFlight >= inFlightMax;
  }

  /** A whole message is here. Lengths that no query has end the connection at once. */
  #hasMessage(): boolean {
    if (this.#bytes.length < 2) return false;
    const length = this.#bytes.readUInt16BE(0);
    if (length < headerBytes || length > queryBytesMax) {
      this.#destroy();
      return false;
    }
    return this.#bytes.length >= 2 + length;
  }

  #serveNext(): void {
    const end = 2 + this.#bytes.readUInt16BE(0);
    const message = this.#bytes.subarray(2, end);
    this.#bytes = this.#bytes.subarray(end);
    this.#inFlight++;
    this.#parts.serve(message, (reply) => {
      this.#inFlight--;
      this.#send(reply);
      this.#pump();
    });
  }

  #send(reply: Buffer): void {
    if (this.#closed) return;
    const framed = Buffer.allocUnsafe(2 + reply.length);
    framed.writeUInt16BE(reply.length, 0);
    reply.copy(framed, 2);
    if (!this.#parts.socket.write(framed)) this.#blocked = true;
  }

  #pumpLater(delayMs: number): void {
    this.#cancelPump = this.#parts.clock.after(delayMs, () => {
      this.#cancelPump = undefined;
      this.#pump();
    });
  }

  /** After each change: read on or not, how long to wait, whether it is over. */
  #settle(hasProgressed: boolean): void {
    if (this.#closed) return;
    const state = this.#judge();
    if (state === "closing" && this.#state !== "closing") this.#parts.socket.end();
    if (state === "busy" || state === "blocked") this.#parts.socket.pause();
    else this.#parts.socket.resume();
    if (state === this.#state && !hasProgressed) return;
    this.#state = state;
    this.#deadlineMs = this.#parts.clock.monotonicMs() + patienceMs[state];
  }

  #judge(): State {
    if (this.#blocked) return "blocked";
    const isBusy = this.#cancelPump !== undefined || this.#inFlight > 0;
    if (this.#ended) return isBusy ? "busy" : "closing";
    if (this.#cancelPump !== undefined || this.#inFlight >= inFlightMax) return "busy";
    if (this.#bytes.length > 0) return "partial";
    return this.#inFlight > 0 ? "waiting" : "idle";
  }

  /** One timer looks at a deadline that moves, which is cheaper than a timer for each message. */
  #watch(): void {
    const { clock } = this.#parts;
    if (clock.monotonicMs() >= this.#deadlineMs) this.#destroy();
    else this.#cancelWatch = clock.after(watchMs, () => this.#watch());
  }

  #destroy(): void {
    this.closed();
    this.#parts.socket.destroy();
  }
}
