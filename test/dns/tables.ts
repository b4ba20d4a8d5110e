/**
 * Routing tables and a mesh server in a tiny notation, one service a line:
 *
 *     shop/web 80/tcp,53/udp: 1@10.0.0.1 2@n2:127.0.0.1=8001 3@10.0.0.3!
 *
 * service, target ports, then endpoints: slot, the node when it is not this one, address, the real
 * port when it is not the target's, "!" when draining.
 */

import type { Network } from "../../dns/address.ts";
import { Answerer } from "../../dns/answerer.ts";
import { type Exchange, Forwarder } from "../../dns/forwarder.ts";
import { MeshAnswers } from "../../dns/mesh-answers.ts";
import type { Place } from "../../dns/place.ts";
import type { NodeId, ReplicaId, ServiceId, TaskId } from "../../model/ids.ts";
import type { Endpoint, RoutingTable, ServiceRoute } from "../../model/routing.ts";
import type { PortKey } from "../../model/spec.ts";
import type { Clock, Random } from "../../ports.ts";

export function table(text: string): RoutingTable {
  const lines = text.split("\n").map((line) => line.trim());
  return { services: lines.filter((line) => line !== "").map(service) };
}

/** Addresses of nodes by their names in the notation; n4 has none. */
export function addressOf(node: NodeId): string | undefined {
  return { n1: "192.168.0.1", n2: "192.168.0.2", n3: "fd00::3" }[node as string];
}

function service(line: string): ServiceRoute {
  const [, name, ports, rest] = /^([^\s:]+) ?([^\s:@]*): ?(.*)$/.exec(line) as unknown as string[];
  const targets = (ports as string).split(",").filter((port) => port !== "") as PortKey[];
  return {
    service: name as ServiceId,
    endpointMode: "vip",
    published: [],
    targets,
    endpoints: (rest as string)
      .split(" ")
      .filter((text) => text !== "")
      .map((text) => endpoint(text, name as string, targets)),
  };
}

function endpoint(text: string, of: string, targets: readonly PortKey[]): Endpoint {
  const match = /^([^@]+)@(?:(n\d):)?([^=!]*)(?:=(\d+))?(!?)$/.exec(text);
  const [, slot, node, address, port, draining] = match as unknown as string[];
  return {
    task: `${of}.${slot}.task` as TaskId,
    replica: `${of}.${slot}` as ReplicaId,
    slot: slot as string,
    node: (node ?? "n1") as NodeId,
    local: node === undefined,
    address: address as string,
    ports: Object.fromEntries(
      targets.map((key) => [key, Number(port ?? key.slice(0, key.indexOf("/")))]),
    ),
    zone: "a",
    draining: draining === "!",
  };
}

/** Draws from a seed; Tommy Ettinger's mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return {
    below: (bound) => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
    },
  };
}

/** Time that stands still until it is moved. */
export class TestClock implements Clock {
  #nowMs = 1000;
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Runs what falls due, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((left, right) => left.atMs - right.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = endMs;
  }
}

/** An upstream that never answers. */
export const deaf: Exchange = { open: () => ({ close: () => {} }) };

export type MeshServer = {
  readonly answerer: Answerer;
  readonly mesh: MeshAnswers;
  readonly forwarder: Forwarder;
  readonly clock: TestClock;
  /** What is answered at once. */
  ask(message: Buffer, options?: { overTcp?: boolean; from?: string }): Buffer | undefined;
};

/** All of the server but its sockets. */
export function meshServer(
  text: string,
  options: {
    readonly exchange?: Exchange;
    readonly servers?: readonly Place[];
    readonly recursion?: readonly Network[];
    readonly random?: Random;
  } = {},
): MeshServer {
  const { exchange = deaf, servers = [], recursion = [], random = seeded(1) } = options;
  const clock = new TestClock();
  const mesh = new MeshAnswers({ addressOf, servers: () => ["127.0.0.1", "10.1.0.1"] }, random);
  mesh.install(table(text));
  const forwarder = new Forwarder({ exchange, servers: () => servers, clock, random });
  const answerer = new Answerer({ mesh, forwarder, recursion, clock });
  return {
    answerer,
    mesh,
    forwarder,
    clock,
    ask: (message, { overTcp = false, from = "127.0.0.1" } = {}) => {
      let answer: Buffer | undefined;
      answerer.serve(message, { address: from, overTcp }, (reply) => {
        answer = reply;
      });
      return answer;
    },
  };
}
