/**
 * Where the datagrams of one client go: to a task of this node through a socket of their own, or
 * through a stream to the task's node, which does the former. A door. Nothing waits in a link: what
 * cannot be sent at once is dropped, as a network would.
 */

import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import type { Endpoint } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import { DatagramReader, frameDatagram } from "./datagrams.ts";
import { openForward } from "./introduction.ts";
import type { Means } from "./means.ts";

/** Room for bursts, bytes. The kernel caps it by its own limit. */
export const receiveBufferBytes = 4_194_304;

export interface DatagramLink {
  readonly isReady: boolean;
  /** Only when ready. */
  send(datagram: Uint8Array): void;
  /** Nothing is called after this. */
  close(): void;
}

export type LinkEvents = {
  readonly ready: () => void;
  readonly datagram: (datagram: Buffer) => void;
  /** Once, and the link is closed then. Not called when it is closed from this side. */
  readonly failed: () => void;
};

/** None of the events is called before this returns. */
export function openLink(
  means: Means,
  endpoint: Endpoint,
  port: PortKey,
  events: LinkEvents,
): DatagramLink {
  return endpoint.local
    ? new SocketLink(means, endpoint, port, events)
    : new StreamLink(means, endpoint, port, events);
}

/** Joins a peer's stream to a task of this node; `ready` is called before anything else is sent. */
export function serveDatagrams(
  means: Means,
  stream: Duplex,
  endpoint: Endpoint,
  port: PortKey,
  ready: () => void,
): void {
  const { clock, config } = means;
  let heardMs = clock.monotonicMs();
  const link = new SocketLink(means, endpoint, port, {
    ready: () => {
      ready();
      receive(stream, (datagram) => {
        heardMs = clock.monotonicMs();
        link.send(datagram);
      });
    },
    datagram: (datagram) => {
      heardMs = clock.monotonicMs();
      sendInto(means, stream, datagram);
    },
    failed: () => stream.destroy(),
  });
  // The other side forgets idle flows first; this is for one that does not.
  const look = (): void => {
    if (clock.monotonicMs() - heardMs >= 2 * config.flowIdleMs) stream.destroy();
    else stopLooking = clock.after(config.flowIdleMs, look);
  };
  let stopLooking = clock.after(config.flowIdleMs, look);
  stream.once("close", () => {
    stopLooking();
    link.close();
  });
}

/** A socket that takes datagrams from its endpoint alone. */
class SocketLink implements DatagramLink {
  isReady = false;
  readonly #means: Means;
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  #isClosed = false;

  constructor(means: Means, { address, ports }: Endpoint, port: PortKey, events: LinkEvents) {
    this.#means = means;
    this.#events = events;
    this.#socket = createSocket({ type: isIPv6(address) ? "udp6" : "udp4" });
    this.#socket.on("message", (datagram) => {
      if (!this.#isClosed) events.datagram(datagram);
    });
    this.#socket.on("error", () => this.#fail());
    this.#socket.on("connect", () => {
      if (this.#isClosed) return;
      this.isReady = true;
      events.ready();
    });
    this.#socket.connect(ports[port] as number, address);
  }

  send(datagram: Uint8Array): void {
    if (this.#socket.getSendQueueSize() > this.#means.config.backlogBytesMax) {
      this.#means.counters.datagramsDropped++;
    } else {
      this.#socket.send(datagram, this.#sent);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  readonly #sent = (error: NodeJS.ErrnoException | null): void => {
    if (error === null || this.#isClosed) return;
    this.#means.counters.datagramsDropped++;
    // An earlier datagram came back as "port unreachable": nobody listens there.
    if (error.code === "ECONNREFUSED") this.#fail();
  };

  #fail(): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.failed();
  }
}

class StreamLink implements DatagramLink {
  isReady = false;
  readonly #means: Means;
  readonly #events: LinkEvents;
  #stream: Duplex | undefined;
  #isClosed = false;

  constructor(means: Means, endpoint: Endpoint, port: PortKey, events: LinkEvents) {
    this.#means = means;
    this.#events = events;
    openForward(means, endpoint, port, means.config.connectMs).then(
      (stream) => this.#opened(stream),
      () => this.#fail(),
    );
  }

  send(datagram: Uint8Array): void {
    sendInto(this.#means, this.#stream as Duplex, datagram);
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.destroy();
  }

  #opened(stream: Duplex): void {
    this.#stream = stream;
    if (this.#isClosed) return void stream.destroy();
    stream.once("close", () => this.#fail());
    receive(stream, (datagram) => {
      if (!this.#isClosed) this.#events.datagram(datagram);
    });
    this.isReady = true;
    this.#events.ready();
  }

  #fail(): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.failed();
  }
}

function sendInto(means: Means, stream: Duplex, datagram: Uint8Array): void {
  if (stream.destroyed || stream.writableLength > means.config.backlogBytesMax) {
    means.counters.datagramsDropped++;
  } else {
    stream.write(frameDatagram(datagram));
  }
}

/** A stream that ends, or makes no sense, is destroyed: datagrams know no half-close. */
function receive(stream: Duplex, deliver: (datagram: Buffer) => void): void {
  const reader = new DatagramReader();
  stream.on("data", (chunk: Buffer) => {
    if (!reader.read(chunk, deliver)) stream.destroy();
  });
  stream.once("end", () => stream.destroy());
}
