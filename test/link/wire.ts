/** A wire between two nodes on loopback that a test can cut, stop or throttle. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export type Wire = {
  /** Where to dial, in place of the address it leads to. */
  readonly address: string;
  /** Both ends get a FIN, as when a process dies without unread bytes: no reset, no goodbye. */
  cut(): void;
  /** Nothing passes and nothing breaks, as when a cable is pulled. */
  stop(): void;
};

export async function openWire(t: TestContext, target: string): Promise<Wire> {
  const port = Number(target.match(/\/tcp\/(\d+)/)?.[1]);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket.on("error", () => socket.destroy()));
    return socket;
  };
  const server = createServer((caller) => {
    const callee = keep(connect(port, "127.0.0.1"));
    keep(caller).pipe(callee).pipe(caller);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const unplug = (socket: Socket): Socket => socket.unpipe().pause();
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    cut: () => {
      server.close();
      for (const socket of sockets) unplug(socket).end();
    },
    stop: () => {
      server.close();
      for (const socket of sockets) unplug(socket);
    },
  };
}
