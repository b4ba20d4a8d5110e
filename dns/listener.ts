/**
 * One address and port, by UDP and TCP: sockets and nothing else. UDP is dns2's server with its
 * `handle` replaced, so that no datagram reaches dns2's parser; that answers as fast as a bare
 * socket does, 2.5 times as fast as dns2's own way. Each address has sockets of its own, for one
 * on 0.0.0.0 replies from the wrong address on hosts that have several.
 */

import type { RemoteInfo, SocketOptions } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import dns2 from "dns2";
import type { Clock } from "../ports.ts";
import type { Client } from "./answerer.ts";
import type { Gate } from "./gate.ts";
import type { Place } from "./place.ts";
import { Stream } from "./stream.ts";

export type ListenerParts = {
  readonly serve: (message: Buffer, client: Client, send: (reply: Buffer) => void) => void;
  readonly gate: Gate;
  readonly clock: Clock;
};

/** One of them is called, before `openListener` returns perhaps, and `failed` later as well. */
export type ListenerEars = {
  /** Both sockets are bound. Port 0 has become a real one. */
  opened(place: Place): void;
  /** Taken, not there, or broken later. All is closed then. */
  failed(error: Error): void;
};

/**
 * A stall of 400 ms loses all but 256 of 20,000 datagrams with the kernel's default. The kernel
 * caps it at net.core.rmem_max.
 */
const receiveBufferBytes = 4 * 1024 * 1024;

export function openListener(
  { host, port }: Place,
  parts: ListenerParts,
  ears: ListenerEars,
): { close(): void } {
  const udp = new MeshUdp(host, parts.serve);
  const clients = new Set<Socket>();
  const tcp = createTcpServer(parts, clients);
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    udp.close();
    tcp.close();
    for (const socket of clients) socket.destroy();
  };
  const fail = (error: Error) => {
    if (!isOpen) return;
    close();
    ears.failed(error);
  };
  udp.on("error", fail);
  tcp.on("error", fail);
  udp.once("listening", () => {
    const place = { host, port: udp.address().port };
    tcp.once("listening", () => isOpen && ears.opened(place));
    tcp.listen({ ...place, ipv6Only: true });
  });
  udp.bind(port, host);
  return { close };
}

class MeshUdp extends dns2.UDPServer {
  readonly #serve: ListenerParts["serve"];
  #isOpen = true;

  constructor(host: string, serve: ListenerParts["serve"]) {
    const isIpv6 = host.includes(":");
    const options: SocketOptions = {
      type: isIpv6 ? "udp6" : "udp4",
      ipv6Only: isIpv6,
      recvBufferSize: receiveBufferBytes,
      // Replies go to addresses, so no resolver, which may be us, is ever asked for one.
      lookup: (address, _, callback) => callback(null, address, isIpv6 ? 6 : 4),
    };
    // dns2 hands `type` to the socket as it is, which takes options in its place.
    super({ type: options as unknown as "udp4" });
    this.#serve = serve;
  }

  override handle(message: Buffer, { address, port }: RemoteInfo): void {
    // Nothing can be sent to port 0, which only a forger has.
    if (port === 0) return;
    this.#serve(message, { address, overTcp: false }, (reply) => {
      // Without a callback, what cannot be sent is lost like any datagram.
      if (this.#isOpen) this.send(reply, 0, reply.length, port, address);
    });
  }

  /** A reply may come from upstream later, and `send` throws then. */
  override close(callback?: () => void): this {
    this.#isOpen = false;
    return super.close(callback);
  }
}

function createTcpServer({ serve, gate, clock }: ListenerParts, clients: Set<Socket>): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // A reset is an everyday event, and "close" follows it.
    socket.on("error", () => {});
    const address = socket.remoteAddress;
    const release = address === undefined ? undefined : gate.admit(address);
    if (address === undefined || release === undefined) {
      socket.destroy();
      return;
    }
    clients.add(socket);
    const client: Client = { address, overTcp: true };
    const stream = new Stream({
      socket,
      serve: (message, send) => serve(message, client, send),
      mayServe: () => gate.maySend(address),
      clock,
    });
    socket.on("data", (chunk: Buffer) => stream.received(chunk));
    socket.on("drain", () => stream.drained());
    socket.on("end", () => stream.ended());
    socket.on("close", () => {
      clients.delete(socket);
      release();
      stream.closed();
    });
  });
}
