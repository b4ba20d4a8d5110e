/**
 * Sockets that ask upstream, one for each question: connected, so that the kernel lets in only
 * what comes from the very address and port that was asked, and gives each a random port of its
 * own (RFC 5452 section 9.2). dns2's clients check none of that and wait for ever.
 */

import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Ears, Exchange } from "./forwarder.ts";
import { type Place, readResolvConf } from "./place.ts";

export const sockets: Exchange = {
  open: (server, protocol, message, ears) =>
    protocol === "udp" ? askUdp(server, message, ears) : askTcp(server, message, ears),
};

/** What the system's resolver asks; none when the file cannot be read. */
export function readSystemServers(path: string): Place[] {
  try {
    return readResolvConf(readFileSync(path, "utf8"));
  } catch {
    return [];
  }
}

type Asking = ReturnType<Exchange["open"]>;

function askUdp({ host, port }: Place, message: Buffer, ears: Ears): Asking {
  const isIpv6 = host.includes(":");
  const socket = createSocket({
    type: isIpv6 ? "udp6" : "udp4",
    lookup: (address, _, callback) => callback(null, address, isIpv6 ? 6 : 4),
  });
  let isOpen = true;
  const close = () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  const fail = () => {
    if (!isOpen) return;
    close();
    ears.failed();
  };
  socket.on("error", fail);
  socket.on("message", (reply) => ears.reply(reply));
  socket.on("connect", () => isOpen && socket.send(message, (error) => error && fail()));
  socket.connect(port, host);
  return { close };
}

function askTcp({ host, port }: Place, message: Buffer, ears: Ears): Asking {
  const socket = connect({ host, port, noDelay: true });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  socket.write(Buffer.concat([length, message]));
  let isOpen = true;
  let bytes = Buffer.alloc(0);
  const close = () => {
    isOpen = false;
    socket.destroy();
  };
  const fail = () => {
    if (!isOpen) return;
    close();
    ears.failed();
  };
  socket.on("error", fail);
  socket.on("close", fail);
  socket.on("data", (chunk: Buffer) => {
    if (!isOpen) return;
    // One reply is all that is wanted: at most 65,537 bytes, and one chunk more.
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length < 2) return;
    const end = 2 + bytes.readUInt16BE(0);
    if (bytes.length >= end) ears.reply(bytes.subarray(2, end));
  });
  return { close };
}
