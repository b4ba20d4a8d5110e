/**
 * The userspace data path of a node: makes connections to published ports follow the routing
 * table. Puts the parts of this room together; begin reading here. A door.
 *
 * ```
 * client → tcp → balancer → splice → endpoint of this node
 *                         → join → stream → forward on the other node → endpoint
 *          udp → udp-flow → datagram-link, the same two ways
 * ```
 */

import type { Duplex } from "node:stream";
import type { TaskId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { Endpoint, RoutingTable } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import type { Clock, Random, Routes } from "../ports.ts";
import { Backends } from "./backends.ts";
import { type ForwardConfig, forwardDefaults } from "./config.ts";
import { ForwardDoor } from "./forward.ts";
import { type Counters, Means, type OpenStream } from "./means.ts";
import { type PublishedPort, PublishedPorts } from "./published-ports.ts";
import { TcpDoor } from "./tcp.ts";
import { UdpDoor } from "./udp.ts";

export type ForwarderOptions = {
  readonly openStream: OpenStream;
  readonly clock?: Clock;
  readonly random?: Random;
  /** The one address to listen on; all of the machine's without it. */
  readonly listenAddress?: string;
  /** This node's name, for problems. */
  readonly node?: string;
  readonly config?: Partial<ForwardConfig>;
  readonly log?: (line: string) => void;
};

export interface Forwarder extends Routes {
  /** Streams that peers have opened for TCP connections, and for datagrams. */
  accept(stream: Duplex, from: string): void;
  acceptDatagrams(stream: Duplex, from: string): void;
  stats(): Readonly<Counters>;
  /** Stops listening and resets what is open. */
  close(): Promise<void>;
}

export function openForwarder(options: ForwarderOptions): Forwarder {
  return new UserspaceForwarder(options);
}

class UserspaceForwarder implements Forwarder {
  readonly #means: Means;
  readonly #ports: PublishedPorts;
  readonly #forward: ForwardDoor;
  /** By service and target port. */
  #backends: ReadonlyMap<string, Backends> = new Map();
  #isClosed = false;

  constructor(options: ForwarderOptions) {
    const config = { ...forwardDefaults, ...options.config };
    const { openStream, clock = realClock, random = realRandom, listenAddress = "" } = options;
    this.#means = new Means(clock, random, config, openStream);
    this.#forward = new ForwardDoor(this.#means);
    const doors = { tcp: new TcpDoor(this.#means), udp: new UdpDoor(this.#means) };
    this.#ports = new PublishedPorts(
      (port, opened, failed) => doors[port.protocol].listen(port, listenAddress, opened, failed),
      clock,
      config.portRetryMs,
      options.node ?? "",
    );
    const { log } = options;
    if (log !== undefined) this.#ports.onProblems((problems) => log(describe(problems)));
  }

  install(table: RoutingTable): void {
    if (this.#isClosed) return;
    const local = localEndpoints(table);
    this.#forward.install(local);
    const [anyone] = local.values();
    const nowMs = this.#means.clock.monotonicMs();
    const before = this.#backends;
    const backends = new Map<string, Backends>();
    const wanted: PublishedPort[] = [];
    for (const { service, published, endpoints } of table.services) {
      for (const { published: port, target, protocol } of published) {
        const portKey: PortKey = `${target}/${protocol}`;
        const key = `${service} ${portKey}`;
        const behind = before.get(key) ?? backends.get(key) ?? this.#newBackends(portKey);
        if (!backends.has(key)) behind.update(endpoints, anyone?.zone ?? "", nowMs);
        backends.set(key, behind);
        wanted.push({ port, protocol, backends: behind });
      }
    }
    this.#backends = backends;
    this.#ports.install(wanted);
    for (const [key, gone] of before) if (!backends.has(key)) gone.update([], "", nowMs);
  }

  onProblems(listener: (problems: readonly Problem[]) => void): void {
    this.#ports.onProblems(listener);
  }

  accept(stream: Duplex, from: string): void {
    this.#forward.accept(stream, from, "tcp");
  }

  acceptDatagrams(stream: Duplex, from: string): void {
    this.#forward.accept(stream, from, "udp");
  }

  stats(): Readonly<Counters> {
    return { ...this.#means.counters };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#ports.install([]);
    await this.#means.close();
  }

  #newBackends(port: PortKey): Backends {
    return new Backends(port, (bound) => this.#means.random.below(bound));
  }
}

/** Their zone is this node's: a label of the node, so it is the same for all. */
function localEndpoints({ services }: RoutingTable): ReadonlyMap<TaskId, Endpoint> {
  return new Map(
    services
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ local }) => local)
      .map((endpoint) => [endpoint.task, endpoint]),
  );
}

function describe(problems: readonly Problem[]): string {
  const ports = problems.flatMap((problem) =>
    problem.code === "port-in-use"
      ? [`${problem.port}/${problem.protocol} (${problem.detail})`]
      : [],
  );
  return ports.length === 0
    ? "all published ports are listened on"
    : `published ports that cannot be listened on: ${ports.join(", ")}`;
}

/** Its timers keep no process alive. */
const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Balancing needs no secrecy. */
const realRandom: Random = { below: (bound) => Math.floor(Math.random() * bound) };
