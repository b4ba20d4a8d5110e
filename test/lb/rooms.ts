/**
 * A small mesh for tests of forwarding: nodes with real sockets on loopback, joined by pairs of
 * duplexes where a mesh has libp2p streams, and servers that play the tasks.
 */

import dgram from "node:dgram";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import type { TestContext } from "node:test";
import { type Forwarder, type ForwarderOptions, openForwarder } from "../../lb/forwarder.ts";
import type { NodeId, ReplicaId, ServiceId, TaskId } from "../../model/ids.ts";
import type { Endpoint, Listener, RoutingTable } from "../../model/routing.ts";
import type { PortKey } from "../../model/spec.ts";

export const here = "node-a" as NodeId;
export const there = "node-b" as NodeId;
export const loopback = "127.0.0.1";

export type Nodes = {
  readonly near: Forwarder;
  readonly far: Forwarder;
  /** The near ends of all streams that were opened to the far node. */
  readonly streams: Duplex[];
};

/** Two nodes; the near one opens its streams to the far one. Closed when the test is over. */
export function twoNodes(t: TestContext, options: Partial<ForwarderOptions> = {}): Nodes {
  const streams: Duplex[] = [];
  const common = { listenAddress: loopback, node: "a", ...options };
  const far = openForwarder({ ...common, openStream: () => Promise.reject(new Error("no way")) });
  const near = openForwarder({
    openStream: async (_to, purpose) => {
      const [mine, theirs] = duplexPair();
      tieResets(mine, theirs);
      streams.push(mine);
      if (purpose === "forward") far.accept(theirs, here);
      else far.acceptDatagrams(theirs, here);
      return mine;
    },
    ...common,
  });
  t.after(() => Promise.all([near.close(), far.close()]));
  return { near, far, streams };
}

/** A stream of a mesh that is reset at one end is reset at the other; a pair of Node's is not. */
export function tieResets(left: Duplex, right: Duplex): void {
  const tie = (from: Duplex, to: Duplex) => {
    from.once("close", () => {
      const isWhole = from.readableEnded && from.writableFinished;
      if (!isWhole && !to.destroyed) to.destroy(new Error("the stream was reset"));
    });
  };
  tie(left, right);
  tie(right, left);
}

/** A server that plays a task. Every socket it has taken is listed and closed after the test. */
export async function tcpTask(
  t: TestContext,
  serve: (socket: net.Socket) => void,
): Promise<{ port: number; sockets: net.Socket[] }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, loopback);
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** A task that sends every datagram back, with its name before it. */
export async function udpTask(t: TestContext, name = ""): Promise<{ port: number; close(): void }> {
  const socket = dgram.createSocket("udp4");
  socket.on("message", (data, { port, address }) => {
    socket.send(Buffer.concat([Buffer.from(name), data]), port, address);
  });
  socket.bind(0, loopback);
  await once(socket, "listening");
  let isOpen = true;
  const close = (): void => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  t.after(close);
  return { port: socket.address().port, close };
}

export function echo(socket: net.Socket): void {
  socket.pipe(socket);
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, loopback);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** An endpoint of service "shop/web". */
export function endpoint(slot: number, port: number, more: Partial<Endpoint> = {}): Endpoint {
  return {
    task: `shop/web.${slot}.abcdefghij${String(slot).padStart(2, "0")}` as TaskId,
    replica: `shop/web.${slot}` as ReplicaId,
    slot: String(slot),
    node: here,
    local: true,
    address: loopback,
    ports: { "80/tcp": port, "53/udp": port } as Record<PortKey, number>,
    zone: "",
    draining: false,
    ...more,
  };
}

/** As the near node sees an endpoint of the far one: without a way of its own. */
export function remote(slot: number, more: Partial<Endpoint> = {}): Endpoint {
  return endpoint(slot, 1, { node: there, local: false, address: "192.0.2.1", ...more });
}

export function tcpPort(published: number): Listener {
  return { published, target: 80, protocol: "tcp" };
}

export function udpPort(published: number): Listener {
  return { published, target: 53, protocol: "udp" };
}

export function table(
  published: readonly Listener[],
  endpoints: readonly Endpoint[],
): RoutingTable {
  const service = "shop/web" as ServiceId;
  return { services: [{ service, endpointMode: "vip", published, targets: [], endpoints }] };
}

/** A client of a published port. */
export async function dial(t: TestContext, port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: loopback, allowHalfOpen: true, noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** "reset" or "end": how a socket's reading comes to its end. */
export function ending(socket: Duplex): Promise<"end" | "reset"> {
  return new Promise((resolve) => {
    socket.on("end", () => resolve("end"));
    socket.on("close", () => resolve("reset"));
    socket.on("error", () => resolve("reset"));
    socket.resume();
  });
}

/** TCP sockets of this process, at both ends of each connection. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}
