/**
 * The DNS server of a node. Takes routing tables and lists of addresses, both as often as they
 * change, whole each time; an address that is taken or not there yet is a problem, and tried again
 * for as long as it is wanted.
 *
 * It answers any client for the mesh, and asks upstream only for this machine and for private
 * addresses. It needs the routing table and nothing else of an agent.
 */

import { randomInt } from "node:crypto";
import type { NodeId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import type { RoutingTable } from "../model/routing.ts";
import type { Clock, Random, Routes } from "../ports.ts";
import { isLoopback, isUnspecified, parseAddress, parseNetwork } from "./address.ts";
import { Answerer, type AnswererStats, type Client } from "./answerer.ts";
import { Forwarder, type ForwarderStats } from "./forwarder.ts";
import { Gate } from "./gate.ts";
import { ListenSet } from "./listen-set.ts";
import { openListener } from "./listener.ts";
import { MeshAnswers } from "./mesh-answers.ts";
import { formatPlace, isSamePlace, type Place, parsePlace } from "./place.ts";
import { readSystemServers, sockets } from "./upstream.ts";

export type DnsOptions = {
  /** "127.0.0.1:5353", "[::1]:53"; 53 when there is no port, any free one for port 0. */
  readonly listen: readonly string[];
  /** Servers for the rest of the world, best first; those of resolv.conf when left out. */
  readonly upstream?: readonly string[];
  /** Where `upstream` is left out. */
  readonly resolvConf?: string;
  /** Networks that may ask for names of the world, beside loopback: private ones when left out. */
  readonly recursion?: readonly string[];
  /** A node's own address as its peers reach it, without a port. */
  readonly addressOf: (node: NodeId) => string | undefined;
  readonly log?: (line: string) => void;
  readonly clock?: Clock;
  readonly random?: Random;
};

export type DnsStats = {
  /** Where it answers now. */
  readonly listening: readonly string[];
  readonly connections: number;
  readonly connectionsRefused: number;
  /** Bugs of ours that a message brought out; the message got no answer. */
  readonly faults: number;
  readonly answers: AnswererStats;
  readonly upstream: ForwarderStats;
};

export interface Dns extends Routes {
  /** Level: the whole list each time. */
  listen(addresses: readonly string[]): void;
  stats(): DnsStats;
  close(): void;
}

/** Private, shared and link-local addresses: RFC 1918, RFC 4193, RFC 3927 and RFC 4291. */
const privateNetworks = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
];

/** resolv.conf changes when a laptop moves. */
const rereadMs = 5000;

/** The same message may come a thousand times a second. */
const faultsLoggedMax = 10;

/** Resolves when every address was tried once. Rejects when an address is none. */
export async function openDns(options: DnsOptions): Promise<Dns> {
  const server = new DnsServer(options);
  await server.begin(options.listen);
  return server;
}

class DnsServer implements Dns {
  readonly #options: DnsOptions;
  readonly #clock: Clock;
  readonly #mesh: MeshAnswers;
  readonly #forwarder: Forwarder;
  readonly #answerer: Answerer;
  readonly #gate: Gate;
  readonly #listening: ListenSet;
  readonly #upstream: readonly Place[] | undefined;
  #system: { readonly atMs: number; readonly places: readonly Place[] } | undefined;
  #onProblems: ((problems: readonly Problem[]) => void)[] = [];
  #told: readonly Problem[] = [];
  #onSettled: (() => void) | undefined;
  #faults = 0;

  constructor(options: DnsOptions) {
    this.#options = options;
    this.#upstream = options.upstream?.map((text) => parsePlace(text) ?? reject(text));
    const clock = options.clock ?? systemClock;
    const random = options.random ?? systemRandom;
    const servers = () => this.#servers();
    this.#clock = clock;
    this.#gate = new Gate(clock);
    this.#forwarder = new Forwarder({ exchange: sockets, servers, clock, random });
    this.#mesh = new MeshAnswers(
      { addressOf: options.addressOf, servers: () => this.#ownAddresses() },
      random,
    );
    this.#answerer = new Answerer({
      mesh: this.#mesh,
      forwarder: this.#forwarder,
      recursion: (options.recursion ?? privateNetworks).map((text) => {
        return parseNetwork(text) ?? reject(text);
      }),
      clock,
    });
    const parts = { serve: this.#serve.bind(this), gate: this.#gate, clock };
    this.#listening = new ListenSet({
      open: (place, ears) => openListener(place, parts, ears),
      clock,
      changed: () => this.#changed(),
    });
  }

  begin(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) if (parsePlace(address) === undefined) reject(address);
    return new Promise((resolve) => {
      this.#onSettled = resolve;
      this.#listening.want(addresses);
    });
  }

  listen(addresses: readonly string[]): void {
    this.#listening.want(addresses);
  }

  install(table: RoutingTable): void {
    this.#mesh.install(table);
  }

  onProblems(listener: (problems: readonly Problem[]) => void): void {
    this.#onProblems.push(listener);
    if (this.#told.length > 0) listener(this.#told);
  }

  stats(): DnsStats {
    return {
      listening: this.#listening.places.map(formatPlace),
      connections: this.#gate.open,
      connectionsRefused: this.#gate.refused,
      faults: this.#faults,
      answers: this.#answerer.stats(),
      upstream: this.#forwarder.stats(),
    };
  }

  close(): void {
    this.#onProblems = [];
    this.#listening.want([]);
    this.#forwarder.close();
  }

  /** The last line: any container may send a message, and no message may stop the agent. */
  #serve(message: Buffer, client: Client, send: (reply: Buffer) => void): void {
    try {
      this.#answerer.serve(message, client, send);
    } catch (error) {
      if (this.#faults++ >= faultsLoggedMax) return;
      this.#options.log?.(`dns: a message of ${client.address} brought out a bug: ${error}`);
    }
  }

  #changed(): void {
    const { problems } = this.#listening;
    // A failed try that fails again is no news.
    if (JSON.stringify(problems) !== JSON.stringify(this.#told)) {
      this.#told = problems;
      for (const listener of this.#onProblems) listener(problems);
    }
    if (this.#listening.isSettled) this.#onSettled?.();
  }

  #ownAddresses(): string[] {
    return this.#listening.places.map(({ host }) => host);
  }

  /** Those of resolv.conf may name us, which would be a loop. */
  #servers(): readonly Place[] {
    const own = this.#listening.places;
    return (this.#upstream ?? this.#systemServers()).filter((server) => {
      return !own.some((place) => isSamePlace(place, server) || isAnyAddress(place, server));
    });
  }

  #systemServers(): readonly Place[] {
    const nowMs = this.#clock.monotonicMs();
    if (this.#system === undefined || nowMs - this.#system.atMs >= rereadMs) {
      const path = this.#options.resolvConf ?? "/etc/resolv.conf";
      this.#system = { atMs: nowMs, places: readSystemServers(path) };
    }
    return this.#system.places;
  }
}

const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Ids of questions are what a forger has to guess, so they come from the system's own source. */
const systemRandom: Random = { below: (bound) => randomInt(bound) };

/** "0.0.0.0" and "::" take what is sent to any address of this machine: loopback at the least. */
function isAnyAddress(own: Place, server: Place): boolean {
  const [any, to] = [parseAddress(own.host), parseAddress(server.host)];
  if (any === undefined || to === undefined || own.port !== server.port) return false;
  return isUnspecified(any) && isLoopback(to);
}

function reject(text: string): never {
  throw new OperationError({ code: "argument-invalid", argument: text, detail: "no address" });
}
