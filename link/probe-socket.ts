/**
 * The prober's UDP socket: one for both families where the system allows it. Opened again by
 * itself when it breaks. A door.
 */

import { createSocket, type Socket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { parseUdpAddress, udpAddressText } from "./probe-addresses.ts";

export type ProbeSocket = {
  readonly port: number;
  /** Best effort; `failed` is called when the system refuses. */
  send(datagram: Uint8Array, address: string, failed: () => void): void;
};

/** A socket of family 6 takes both. */
type Opened = { readonly udp: Socket; readonly family: 4 | 6 };
type Receive = (datagram: Uint8Array, address: string) => void;

/** Between two tries to get a broken socket's port back. */
const reopenMs = 1_000;

/** Rejects when the port cannot be had at first. */
export async function openProbeSocket(
  bind: { readonly address: string; readonly port: number },
  receive: Receive,
): Promise<ProbeSocket> {
  let socket = await open(bind.address, bind.port, receive);
  const { port } = socket.udp.address();
  const watch = ({ udp }: Opened): void => {
    udp.once("error", () => {
      udp.close();
      void reopen(bind.address, port, receive).then((next) => {
        socket = next;
        watch(next);
      });
    });
  };
  watch(socket);
  return { port, send: (datagram, address, failed) => send(socket, datagram, address, failed) };
}

async function reopen(address: string, port: number, receive: Receive): Promise<Opened> {
  for (;;) {
    await sleep(reopenMs);
    try {
      return await open(address, port, receive);
    } catch {
      // The interface may be gone for a while; we ask again.
    }
  }
}

async function open(address: string, port: number, receive: Receive): Promise<Opened> {
  try {
    return await bindSocket(address, port, receive);
  } catch (error) {
    const hasNoIpv6 = ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(String(codeOf(error)));
    if (address !== "::" || !hasNoIpv6) throw error;
    return await bindSocket("0.0.0.0", port, receive);
  }
}

function bindSocket(address: string, port: number, receive: Receive): Promise<Opened> {
  const family = address.includes(":") ? 6 : 4;
  const udp = createSocket({
    type: `udp${family}`,
    // Only literal addresses come this way: nothing is looked up, no thread is kept waiting.
    lookup: (host, _options, answer) => answer(null, host, family),
  });
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      udp.close();
      reject(error);
    };
    udp.once("error", refuse);
    udp.bind(port, address, () => {
      udp.off("error", refuse);
      udp.on("message", (bytes, from) => receive(bytes, udpAddressText(from.address, from.port)));
      resolve({ udp, family });
    });
  });
}

function send(socket: Opened, datagram: Uint8Array, address: string, failed: () => void): void {
  const to = parseUdpAddress(address);
  if (to === undefined || (to.family === 6 && socket.family === 4)) {
    failed();
    return;
  }
  const host = to.family === 4 && socket.family === 6 ? `::ffff:${to.host}` : to.host;
  try {
    socket.udp.send(datagram, to.port, host, (error) => {
      if (error !== null) failed();
    });
  } catch {
    // It broke just now, and is being opened again.
    failed();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
