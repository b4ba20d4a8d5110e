/**
 * Published UDP ports: a socket each, and a flow for each client address behind it. A door.
 *
 * A client that has been silent for long is forgotten; when there are too many, the one silent for
 * longest makes room. Answers leave by the socket that heard the question: on a host with several
 * addresses the kernel chooses the source by its routes, as it does for any wildcard socket.
 */

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { openLink, receiveBufferBytes } from "./datagram-link.ts";
import type { Means } from "./means.ts";
import type { PublishedPort } from "./published-ports.ts";
import { type FlowHome, UdpFlow } from "./udp-flow.ts";

/** Flows are put in order of use only this often, ms: it costs as much as looking them up. */
const orderMs = 1_000;

export class UdpDoor {
  readonly #means: Means;
  readonly #ports = new Set<UdpPort>();

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
    let bound: UdpPort;
    const bind = (address: string): void => {
      bound = new UdpPort(this.#means, port, address, opened, (error) => {
        this.#ports.delete(bound);
        bound.close();
        if (host === "" && address === "::" && error.code === "EAFNOSUPPORT") bind("0.0.0.0");
        else failed(error);
      });
      this.#ports.add(bound);
    };
    bind(host === "" ? "::" : host);
    return {
      close: () => {
        this.#ports.delete(bound);
        bound.close();
      },
    };
  }
}

type Entry = { readonly flow: UdpFlow; orderedMs: number };

class UdpPort {
  readonly #means: Means;
  readonly #home: FlowHome;
  readonly #socket: Socket;
  /** By the client's address; the longest unused first, give or take `orderMs`. */
  readonly #flows = new Map<string, Entry>();
  #stopSweeping: () => void = () => {};
  #isClosed = false;

  constructor(
    means: Means,
    port: PublishedPort,
    address: string,
    opened: () => void,
    failed: (error: NodeJS.ErrnoException) => void,
  ) {
    this.#means = means;
    this.#home = {
      means,
      backends: () => port.backends,
      open: ({ endpoint }, { port: key }, events) => openLink(means, endpoint, key, events),
      keptBytes: 0,
    };
    const type = isIPv6(address) ? "udp6" : "udp4";
    this.#socket = createSocket({ type, recvBufferSize: receiveBufferBytes });
    this.#socket.on("listening", opened);
    this.#socket.on("error", failed);
    this.#socket.on("message", (datagram, client) => this.#receive(datagram, client));
    this.#socket.bind({ port: port.port, address, exclusive: true });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopSweeping();
    for (const key of this.#flows.keys()) this.#drop(key);
    this.#socket.close();
  }

  #receive(datagram: Buffer, client: RemoteInfo): void {
    this.#means.counters.datagramsIn++;
    const nowMs = this.#means.clock.monotonicMs();
    const key = `${client.address} ${client.port}`;
    let entry = this.#flows.get(key);
    if (entry === undefined) {
      entry = { flow: this.#add(client), orderedMs: nowMs };
      this.#flows.set(key, entry);
    } else if (nowMs - entry.orderedMs >= orderMs) {
      entry.orderedMs = nowMs;
      this.#flows.delete(key);
      this.#flows.set(key, entry);
    }
    entry.flow.send(datagram, nowMs);
  }

  #add({ address, port }: RemoteInfo): UdpFlow {
    const { counters, config } = this.#means;
    if (this.#flows.size >= config.flowsMax) {
      const [oldest] = this.#flows.keys();
      this.#drop(oldest as string);
      counters.flowsEvicted++;
    }
    counters.flows++;
    counters.flowsNow++;
    if (this.#flows.size === 0) this.#sweepLater();
    return new UdpFlow(this.#home, (datagram) => {
      counters.datagramsOut++;
      if (!this.#isClosed) this.#socket.send(datagram, port, address, this.#sent);
    });
  }

  #drop(key: string): void {
    this.#flows.get(key)?.flow.close();
    this.#flows.delete(key);
    this.#means.counters.flowsNow--;
  }

  #sweepLater(): void {
    const { clock, config } = this.#means;
    this.#stopSweeping = clock.after(config.flowIdleMs / 4, () => {
      const nowMs = clock.monotonicMs();
      for (const [key, { flow }] of this.#flows) {
        if (nowMs - flow.heardMs >= config.flowIdleMs) this.#drop(key);
      }
      if (this.#flows.size > 0) this.#sweepLater();
    });
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#means.counters.datagramsDropped++;
  };
}
