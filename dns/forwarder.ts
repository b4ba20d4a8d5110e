/**
 * Asks upstream for names that are not the mesh's, and keeps what it hears for as long as the
 * records allow. Servers are asked one after the other, the one that answered last first. Equal
 * questions wait for one answer, which also ends any loop: a question that comes back to us by way
 * of the upstream waits for itself, until its time is up.
 *
 * No forged reply is believed that has not the id, the question and the source (RFC 5452): ids
 * and ports are random for each question, and whoever guesses too often makes us ask by TCP.
 */

import type { Clock, Random } from "../ports.ts";
import { Generations } from "./generations.ts";
import { formatPlace, type Place } from "./place.ts";
import type { Query } from "./query.ts";
import { responseCode } from "./record.ts";
import {
  roomFor,
  type Said,
  udpBytesMax,
  writeEmpty,
  writeReply,
  writeTruncated,
} from "./reply.ts";
import { passOn, readReply, type UpstreamReply } from "./upstream-reply.ts";

/** One question on its way to one server. Nothing is called after `close`. */
export interface Exchange {
  open(server: Place, protocol: "udp" | "tcp", message: Buffer, ears: Ears): { close(): void };
}

export type Ears = {
  /** A message from that very address and port. */
  reply(message: Buffer): void;
  /** Refused, unreachable, closed. May be called before `open` returns. */
  failed(): void;
};

export type ForwarderParts = {
  readonly exchange: Exchange;
  readonly servers: () => readonly Place[];
  readonly clock: Clock;
  readonly random: Random;
};

export type ForwarderStats = {
  readonly asked: number;
  readonly cacheHits: number;
  readonly failures: number;
  readonly forgeries: number;
  readonly overloaded: number;
  readonly inFlight: number;
  readonly cached: number;
};

/** Bounds memory and sockets: 256 questions at once, 32 clients waiting for each. */
const inFlightMax = 256;
const waitersMax = 32;

/** Clients give up after 5 s (resolv.conf(5)): four tries fit before that, if none needs TCP. */
const triesMax = 4;
const tryMs = 1200;

/** Wrong replies to one try before it is taken for an attack: real ones come late and seldom. */
const forgeriesMax = 8;

const cacheBytesMax = 4 * 1024 * 1024;
const entryOverheadBytes = 400;

/** RFC 9520 section 3.2: a failure is kept for a second at the least, so that floods end here. */
const failureKeptMs = 1000;

type Cached = { readonly reply: UpstreamReply; readonly atMs: number; readonly untilMs: number };

type Waiter = (said: Said) => void;

type Pending = {
  readonly query: Query;
  readonly key: string;
  readonly waiters: Waiter[];
  readonly servers: readonly Place[];
  /** Counts servers asked by UDP; `tries` counts the asking by TCP as well. */
  turn: number;
  tries: number;
  forgeries: number;
  id: number;
  /** The last answer that was a failure: passed on when nobody knows better. */
  lastFailure: UpstreamReply | undefined;
  stop: () => void;
};

export class Forwarder {
  readonly #parts: ForwarderParts;
  readonly #pending = new Map<string, Pending>();
  readonly #cache = new Generations<Cached>(cacheBytesMax);
  readonly #counts = { asked: 0, cacheHits: 0, failures: 0, forgeries: 0, overloaded: 0 };
  #lastGood = "";

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  /** Calls back once, at once or within five tries' time. */
  resolve(query: Query, overTcp: boolean, send: (reply: Buffer) => void): void {
    const key = keyOf(query);
    const nowMs = this.#parts.clock.monotonicMs();
    const cached = this.#cache.get(key);
    const reply = (said: Said) => send(fit(query, overTcp, said));
    if (cached !== undefined && cached.untilMs > nowMs) {
      this.#counts.cacheHits++;
      reply(passOn(cached.reply, Math.floor((nowMs - cached.atMs) / 1000)));
      return;
    }
    const pending = this.#pending.get(key);
    const isFull = (pending?.waiters.length ?? 0) >= waitersMax;
    if (isFull || (pending === undefined && this.#pending.size >= inFlightMax)) {
      this.#counts.overloaded++;
      send(writeEmpty(query, responseCode.SERVFAIL, true));
      return;
    }
    if (pending !== undefined) pending.waiters.push(reply);
    else this.#begin(query, key, reply);
  }

  stats(): ForwarderStats {
    return { ...this.#counts, inFlight: this.#pending.size, cached: this.#cache.size };
  }

  close(): void {
    for (const pending of this.#pending.values()) pending.stop();
    this.#pending.clear();
  }

  #begin(query: Query, key: string, waiter: Waiter): void {
    const servers = [...this.#parts.servers()];
    // Stable: the rest keeps the order of resolv.conf.
    servers.sort((left, right) => this.#staleness(left) - this.#staleness(right));
    const pending: Pending = {
      query: { ...query, message: Buffer.from(query.message) },
      key,
      waiters: [waiter],
      servers,
      turn: 0,
      tries: 0,
      forgeries: 0,
      id: 0,
      lastFailure: undefined,
      stop: () => {},
    };
    this.#pending.set(key, pending);
    this.#tryNext(pending);
  }

  #staleness(server: Place): number {
    return formatPlace(server) === this.#lastGood ? 0 : 1;
  }

  #tryNext(pending: Pending): void {
    const server = pending.servers[pending.turn++ % pending.servers.length];
    if (server === undefined || pending.tries >= triesMax) this.#fail(pending);
    else this.#ask(pending, server, "udp");
  }

  #ask(pending: Pending, server: Place, protocol: "udp" | "tcp"): void {
    const { exchange, clock, random } = this.#parts;
    this.#counts.asked++;
    pending.tries++;
    pending.id = random.below(65_536);
    pending.forgeries = 0;
    let open = true;
    let close = () => {};
    const end = () => {
      open = false;
      cancel();
      close();
    };
    const giveUp = () => {
      if (!open) return;
      end();
      this.#tryNext(pending);
    };
    const cancel = clock.after(tryMs, giveUp);
    pending.stop = end;
    const asking = exchange.open(server, protocol, questionFor(pending), {
      reply: (message) => open && this.#hear(pending, server, protocol, message),
      failed: giveUp,
    });
    close = () => asking.close();
    if (!open) asking.close();
  }

  #hear(pending: Pending, server: Place, protocol: "udp" | "tcp", message: Buffer): void {
    const reply = readReply(message, pending.id, pending.query);
    const isForged = reply === undefined;
    if (isForged) {
      this.#counts.forgeries++;
      if (++pending.forgeries < forgeriesMax && protocol === "udp") return;
    }
    pending.stop();
    if (protocol === "udp" && (isForged || reply.truncated)) {
      this.#ask(pending, server, "tcp");
    } else if (isForged || isFailure(reply)) {
      pending.lastFailure = reply ?? pending.lastFailure;
      this.#tryNext(pending);
    } else {
      this.#lastGood = formatPlace(server);
      this.#finish(pending, reply, reply.ttlS * 1000);
    }
  }

  #fail(pending: Pending): void {
    this.#counts.failures++;
    this.#finish(pending, pending.lastFailure ?? noAnswer, failureKeptMs);
  }

  #finish(pending: Pending, reply: UpstreamReply, keepMs: number): void {
    this.#pending.delete(pending.key);
    if (keepMs > 0) {
      const atMs = this.#parts.clock.monotonicMs();
      const weight = pending.key.length + reply.records.length + entryOverheadBytes;
      this.#cache.set(pending.key, { reply, atMs, untilMs: atMs + keepMs }, weight);
    }
    const said = passOn(reply, 0);
    for (const waiter of pending.waiters) waiter(said);
  }
}

const noAnswer: UpstreamReply = {
  rcode: responseCode.SERVFAIL,
  truncated: false,
  answers: 0,
  authorities: 0,
  additionals: 0,
  records: Buffer.alloc(0),
  ttlOffsets: new Uint16Array(),
  ttlS: 0,
};

/** Answers differ by whether signatures are wanted, and whether unproven ones are. */
function keyOf({ name, type, edns, message }: Query): string {
  const checkingDisabled = (message[3] as number) & 0x10;
  return `${name}${type} ${edns?.dnssecOk === true ? 1 : 0}${checkingDisabled}`;
}

/** Our own header and OPT about the client's question: RD, CD and DO as the client has them. */
function questionFor({ id, query }: Pending): Buffer {
  const { message, questionEnd, edns } = query;
  const question = Buffer.alloc(questionEnd + 11);
  message.copy(question, 0, 0, questionEnd);
  question.writeUInt16BE(id, 0);
  question[2] = 1;
  question[3] = (message[3] as number) & 0x10;
  question.writeUInt16BE(1, 10);
  question.writeUInt16BE(41, questionEnd + 1);
  question.writeUInt16BE(udpBytesMax, questionEnd + 3);
  question.writeUInt16BE(edns?.dnssecOk === true ? 0x8000 : 0, questionEnd + 7);
  return question;
}

function fit(query: Query, overTcp: boolean, said: Said): Buffer {
  const fits = said.records.length <= roomFor(query, overTcp);
  return fits ? writeReply(query, said) : writeTruncated(query, said);
}

/** Another server may know better than one that says SERVFAIL, REFUSED and the like. */
function isFailure({ rcode }: UpstreamReply): boolean {
  return rcode !== responseCode.NOERROR && rcode !== responseCode.NXDOMAIN;
}
