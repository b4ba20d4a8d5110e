/**
 * One message of a client in, at most one reply out: checks it, answers for the mesh, lets those
 * who may ask for the rest of the world, and refuses, slows or ignores the others. Knows no
 * sockets, so tests throw packets at it by the hundred thousand. Begin reading at `serve`.
 */

import type { Clock } from "../ports.ts";
import { contains, isLoopback, type Network, parseAddress } from "./address.ts";
import type { Forwarder } from "./forwarder.ts";
import { Generations } from "./generations.ts";
import type { MeshAnswers } from "./mesh-answers.ts";
import { type Query, readQuery } from "./query.ts";
import { clientOf, RateLimit } from "./rate-limit.ts";
import { recordType, responseCode } from "./record.ts";
import { writeEmpty } from "./reply.ts";

export type Client = {
  readonly address: string;
  /** A connection proves the address, which a datagram does not. */
  readonly overTcp: boolean;
};

export type AnswererParts = {
  readonly mesh: MeshAnswers;
  readonly forwarder: Forwarder;
  /** Who may ask for names of the world, beside this machine itself. */
  readonly recursion: readonly Network[];
  readonly clock: Clock;
};

export type AnswererStats = {
  readonly queries: number;
  readonly mesh: number;
  readonly foreign: number;
  /** FORMERR, NOTIMP, REFUSED and the like. */
  readonly refused: number;
  readonly limited: number;
  readonly dropped: number;
};

/** A busy crawler stays below it, and it costs a core a few per cent. */
const foreignRate = { perSecond: 1000, burst: 2000 };

/** Others over UDP may be forged: so few replies are worth nothing to who wants to flood them. */
const strangerRate = { perSecond: 20, burst: 50 };

/** Clients of which it is remembered whether they may recurse. */
const clientsMax = 4096;

export class Answerer {
  readonly #parts: AnswererParts;
  readonly #foreign = new RateLimit(foreignRate);
  readonly #strangers = new RateLimit(strangerRate);
  readonly #known = new Generations<boolean>(clientsMax);
  readonly #counts = { queries: 0, mesh: 0, foreign: 0, refused: 0, limited: 0, dropped: 0 };

  constructor(parts: AnswererParts) {
    this.#parts = parts;
  }

  /** `send` is called once, later perhaps, or never. `message` must not change meanwhile. */
  serve(message: Buffer, client: Client, send: (reply: Buffer) => void): void {
    this.#counts.queries++;
    const query = readQuery(message);
    if (query.kind === "drop") {
      this.#counts.dropped++;
      return;
    }
    const recursion = this.#mayRecurse(client.address);
    if (!recursion && !client.overTcp && !this.#take(this.#strangers, client)) return;
    if (query.kind === "refuse") {
      this.#counts.refused++;
      send(writeEmpty(query, query.rcode, recursion));
      return;
    }
    const reply = this.#parts.mesh.answer(query, client.overTcp, recursion);
    if (reply === "foreign") {
      this.#forward(query, client, recursion, send);
    } else {
      this.#counts.mesh++;
      send(reply);
    }
  }

  stats(): AnswererStats {
    return { ...this.#counts };
  }

  #forward(query: Query, client: Client, recursion: boolean, send: (reply: Buffer) => void): void {
    this.#counts.foreign++;
    if (!recursion || !isRecursionDesired(query) || !this.#take(this.#foreign, client)) {
      this.#counts.refused++;
      send(writeEmpty(query, responseCode.REFUSED, recursion));
    } else if (isPlainHost(query)) {
      send(writeEmpty(query, responseCode.NXDOMAIN, recursion));
    } else {
      this.#parts.forwarder.resolve(query, client.overTcp, send);
    }
  }

  #take(limit: RateLimit, { address }: Client): boolean {
    const taken = limit.take(clientOf(address), this.#parts.clock.monotonicMs());
    if (!taken) this.#counts.limited++;
    return taken;
  }

  #mayRecurse(address: string): boolean {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const bytes = parseAddress(address);
    const may =
      bytes !== undefined &&
      (isLoopback(bytes) || this.#parts.recursion.some((network) => contains(network, bytes)));
    this.#known.set(address, may, 1);
    return may;
  }
}

/** RD. Without it, a client looks into our cache for what others asked. */
function isRecursionDesired({ message }: Query): boolean {
  return ((message[2] as number) & 1) !== 0;
}

/**
 * One label has no address in the world, and must not leave the machine: with `ndots:0`, which
 * Docker sets, a resolver asks for "web" as it is before it tries its search domains.
 */
function isPlainHost({ name, type }: Query): boolean {
  if (type !== recordType.A && type !== recordType.AAAA) return false;
  return name.length > 1 && name.length === name.charCodeAt(0) + 2;
}
