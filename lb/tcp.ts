/**
 * Published TCP ports: a listener each, and the way of a client's connection from there to an
 * endpoint. A door; begin reading at `#serve`.
 *
 * No byte of the client is read before an endpoint has taken the connection, so trying another one
 * is always safe; after that only a node that is lost and a question that may be asked twice make
 * it so (lb/first-question.ts). Listeners come and go without touching connections, and so do
 * endpoints: a connection ends when one of its sides ends it, or when its stream to another node
 * is aborted.
 */

import net from "node:net";
import type { Duplex } from "node:stream";
import type { TaskId } from "../model/ids.ts";
import type { Endpoint } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import type { Backends } from "./backends.ts";
import type { Candidate } from "./balancer.ts";
import { Exchange } from "./exchange.ts";
import { askFirst } from "./first-question.ts";
import { openForward } from "./introduction.ts";
import { join } from "./join.ts";
import { type Means, reset } from "./means.ts";
import type { PublishedPort } from "./published-ports.ts";
import { Flow, splice } from "./splice.ts";

/** A side that has vanished without a word is noticed after this and ten probes, ms. */
const keepAliveMs = 60_000;

/** Both sides may end on their own, and small writes must not wait for more of them. */
export const socketOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveMs,
} as const;

/** An endpoint's side of a connection. */
type Upstream = Readonly<
  { kind: "socket"; stream: net.Socket; back: Flow } | { kind: "stream"; stream: Duplex }
>;

export class TcpDoor {
  readonly #means: Means;
  #held = 0;

  constructor(means: Means) {
    this.#means = means;
  }

  /** See `PortOpener`. `host` is an address; "" for all of the machine's. */
  listen(
    port: PublishedPort,
    host: string,
    opened: () => void,
    failed: (error: Error) => void,
  ): { close(): void } {
    const server = net.createServer({ ...socketOptions, pauseOnConnect: true }, (client) => {
      void this.#serve(this.#means.hold(client), port);
    });
    const listen = (address: string): void => {
      server.listen({ port: port.port, host: address, backlog });
    };
    server.on("listening", opened);
    server.on("error", (error: NodeJS.ErrnoException) => {
      // Out of descriptors, most likely: the listener itself is fine, and clients will try again.
      if (server.listening) return;
      if (host === "" && withoutIpv6.has(error.code ?? "") && !wasTried) {
        wasTried = true;
        listen("0.0.0.0");
      } else {
        failed(error);
      }
    });
    let wasTried = false;
    listen(host === "" ? "::" : host);
    return { close: () => server.close() };
  }

  async #serve(client: net.Socket, { backends }: PublishedPort): Promise<void> {
    const { clock, config, counters } = this.#means;
    const { balancer, port } = backends;
    counters.connections++;
    let deadlineMs = clock.monotonicMs() + config.deadlineMs;
    // Made with the first failure, as most connections have none.
    let tried: Set<TaskId> | undefined;
    let question: Buffer | undefined;
    while (!client.destroyed && (tried?.size ?? 0) < config.triesMax) {
      const candidate =
        balancer.pick(clock.monotonicMs(), tried) ??
        (await this.#appears(client, backends, tried, deadlineMs));
      if (candidate === undefined || client.destroyed) break;
      if (tried !== undefined) counters.retries++;
      const startedMs = clock.monotonicMs();
      balancer.begin(candidate);
      const timeoutMs = Math.min(config.connectMs, deadlineMs - startedMs);
      const upstream = await reach(this.#means, candidate.endpoint, port, timeoutMs, question);
      if (upstream !== undefined) {
        const exchange = new Exchange(balancer, candidate, clock, startedMs, config.hangUpMs);
        const again =
          upstream.kind === "socket" || question !== undefined
            ? undefined
            : await askFirst(client, upstream.stream, () => exchange.asked());
        if (again === undefined) return this.#join(client, upstream, exchange);
        if (again.length > 0) question = again;
        counters.replays++;
        exchange.finished();
        deadlineMs = clock.monotonicMs() + config.deadlineMs;
      } else {
        counters.connectFailures++;
        balancer.finish(candidate);
      }
      balancer.failed(candidate, clock.monotonicMs());
      tried ??= new Set();
      tried.add(candidate.endpoint.task);
    }
    counters.connectionsRefused++;
    reset(client);
  }

  /** An endpoint not tried yet, if one appears while the client can be held. */
  #appears(
    client: net.Socket,
    backends: Backends,
    tried: ReadonlySet<TaskId> | undefined,
    deadlineMs: number,
  ): Promise<Candidate | undefined> {
    const { clock, config } = this.#means;
    return new Promise((resolve) => {
      if (this.#held >= config.heldMax) return resolve(undefined);
      this.#held++;
      const settle = (candidate?: Candidate): void => {
        this.#held--;
        stopLimit();
        stopUpdates();
        client.off("close", gone);
        resolve(candidate);
      };
      const gone = (): void => settle();
      client.once("close", gone);
      const holdMs = Math.min(config.holdMs, deadlineMs - clock.monotonicMs());
      const stopLimit = this.#means.limit(holdMs, gone);
      const stopUpdates = backends.onUpdate(() => {
        const candidate = backends.balancer.pick(clock.monotonicMs(), tried);
        if (candidate !== undefined) settle(candidate);
      });
    });
  }

  #join(accepted: net.Socket, upstream: Upstream, exchange: Exchange): void {
    const { counters } = this.#means;
    const far = upstream.stream;
    const client = far.destroyed ? undefined : this.#connect(accepted, upstream, exchange);
    if (client === undefined) {
      if (!accepted.destroyed) exchange.hungUp();
      exchange.finished();
      reset(far);
      reset(accepted);
      return;
    }
    const hungUp = (): void => {
      if (!client.readableEnded && !client.destroyed) exchange.hungUp();
    };
    far.on("end", hungUp);
    far.on("close", () => {
      hungUp();
      exchange.finished();
    });
    counters.connectionsNow++;
    client.on("close", () => {
      counters.connectionsNow--;
      counters.bytesIn += client.bytesRead;
      counters.bytesOut += client.bytesWritten;
    });
  }

  /** The client's socket from now on; undefined when it has gone. */
  #connect(accepted: net.Socket, upstream: Upstream, exchange: Exchange): net.Socket | undefined {
    switch (upstream.kind) {
      case "socket": {
        const client = splice(accepted, upstream.stream, upstream.back, exchange);
        if (client === undefined) return undefined;
        this.#means.release(accepted);
        return this.#means.hold(client);
      }
      case "stream":
        if (accepted.destroyed) return undefined;
        void join(accepted, upstream.stream, exchange);
        return accepted;
    }
  }
}

/** Connections that the kernel keeps until we come to accept them; it caps this by its own. */
const backlog = 4_096;

/** What a machine says that has no IPv6. */
const withoutIpv6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

/** Undefined when the endpoint cannot be reached, for whatever reason. It is asked `question`. */
async function reach(
  means: Means,
  endpoint: Endpoint,
  port: PortKey,
  timeoutMs: number,
  question: Buffer | undefined,
): Promise<Upstream | undefined> {
  if (timeoutMs <= 0) return undefined;
  try {
    if (!endpoint.local || question !== undefined) {
      const open = endpoint.local ? connect : openForward;
      const stream = await open(means, endpoint, port, timeoutMs);
      if (question !== undefined) stream.write(question);
      return { kind: "stream", stream };
    }
    const back = new Flow();
    const stream = await connect(means, endpoint, port, timeoutMs, back.onread);
    return { kind: "socket", stream, back };
  } catch {
    return undefined;
  }
}

/** Connects to an endpoint of this node. Rejects on refusal, and when time is over. */
export function connect(
  means: Means,
  { address, ports }: Endpoint,
  port: PortKey,
  timeoutMs: number,
  onread?: Flow["onread"],
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const options = { ...socketOptions, host: address, port: ports[port] as number };
    const socket = means.hold(
      net.connect({ ...options, autoSelectFamily: false, ...(onread && { onread }) }),
    );
    const stop = means.limit(timeoutMs, () => socket.destroy());
    const failed = (): void => {
      stop();
      reject(new Error(`${address} does not take the connection`));
    };
    socket.once("close", failed);
    socket.once("connect", () => {
      stop();
      socket.off("close", failed);
      resolve(socket);
    });
  });
}
