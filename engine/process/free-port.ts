/** Finds ports that a task can listen on. A door. */

import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { PortKey } from "../../model/spec.ts";

type Protocol = "tcp" | "udp";

/**
 * Above what Linux hands out to outgoing connections (32768 to 60999), and above what people
 * publish: neither is to take a port between its choice here and the task's own listening.
 */
const range = { first: 61_000, last: 65_535 };
const triesMax = 200;

/** False when anything on this machine has it. */
export function isFree(port: number, protocol: Protocol): Promise<boolean> {
  return new Promise((resolve) => {
    if (protocol === "tcp") {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
      return;
    }
    const socket = createSocket("udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** One number for each target, free in all its protocols and not among `taken`. */
export async function choosePort(
  keys: readonly PortKey[],
  taken: ReadonlySet<number>,
): Promise<number | undefined> {
  const protocols = keys.map((key) => key.split("/")[1] as Protocol);
  for (let tries = 0; tries < triesMax; tries++) {
    const span = range.last - range.first + 1;
    const port = range.first + Math.floor(Math.random() * span);
    if (taken.has(port)) continue;
    const free = await Promise.all(protocols.map((protocol) => isFree(port, protocol)));
    if (free.every(Boolean)) return port;
  }
  return undefined;
}
