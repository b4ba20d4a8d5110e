/** Clients of DNS by real sockets, well-behaved and not, and a stub of an upstream server. */

import { spawn } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { findCommand } from "../prepare.ts";
import { until } from "../until.ts";

/** Skips what needs dig where there is none. */
export const digIsThere = {
  skip: findCommand("dig") === undefined && "dig (dnsutils) is not installed",
};

export type Place = { readonly host: string; readonly port: number };

/** "127.0.0.1:5353" apart. */
export function placeOf(text: string): Place {
  const colon = text.lastIndexOf(":");
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(colon + 1)),
  };
}

/** What dig prints. */
export async function dig(at: string, ...words: readonly string[]): Promise<string> {
  const { host, port } = placeOf(at);
  const options = ["+tries=1", "+time=5", "-p", `${port}`, `@${host}`];
  const child = spawn(findCommand("dig") as string, [...options, ...words]);
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  await once(child, "close");
  return output;
}

/** The reply to one datagram; undefined when there is none in time. */
export async function askUdp(at: string, message: Buffer, waitMs = 3000) {
  const { host, port } = placeOf(at);
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  try {
    socket.send(message, port, host);
    const signal = AbortSignal.timeout(waitMs);
    const [reply] = (await once(socket, "message", { signal })) as [Buffer];
    return reply;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

export function frame(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]);
}

/** A TCP connection and the whole messages that came by it. */
export class TcpClient {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  isClosed = false;

  constructor(at: string) {
    this.socket = connect({ ...placeOf(at), allowHalfOpen: true });
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    this.socket.on("end", () => {
      this.isClosed = true;
    });
    this.socket.on("close", () => {
      this.isClosed = true;
    });
  }

  get messages(): Buffer[] {
    const messages: Buffer[] = [];
    for (let at = 0; at + 2 <= this.#bytes.length; ) {
      const end = at + 2 + this.#bytes.readUInt16BE(at);
      if (end > this.#bytes.length) break;
      messages.push(this.#bytes.subarray(at + 2, end));
      at = end;
    }
    return messages;
  }

  async receive(count: number): Promise<Buffer[]> {
    await until(() => this.messages.length >= count, 10_000, `${count} messages`);
    return this.messages;
  }
}

/**
 * An upstream server on a loopback port, by UDP and TCP. `answer` says what to reply, if anything.
 */
export class StubUpstream {
  readonly seen: {
    readonly protocol: "udp" | "tcp";
    readonly port: number;
    readonly message: Buffer;
  }[] = [];
  readonly #answer: (message: Buffer, protocol: "udp" | "tcp") => Buffer | undefined;
  readonly #udp: UdpSocket = createSocket("udp4");
  readonly #tcp: Server = createServer((socket) => this.#serve(socket));

  constructor(answer: (message: Buffer, protocol: "udp" | "tcp") => Buffer | undefined) {
    this.#answer = answer;
  }

  async open(): Promise<string> {
    this.#udp.on("message", (message, { port, address }) => {
      this.seen.push({ protocol: "udp", port, message });
      const reply = this.#answer(message, "udp");
      if (reply !== undefined) this.#udp.send(reply, port, address);
    });
    this.#tcp.listen(0, "127.0.0.1");
    await once(this.#tcp, "listening");
    const { port } = this.#tcp.address() as AddressInfo;
    this.#udp.bind(port, "127.0.0.1");
    await once(this.#udp, "listening");
    return `127.0.0.1:${port}`;
  }

  /** Sends what comes late, from where it was asked. */
  reply(message: Buffer, port: number): void {
    this.#udp.send(message, port, "127.0.0.1");
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }

  #serve(socket: Socket): void {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const message = chunk.subarray(2);
      this.seen.push({ protocol: "tcp", port: socket.remotePort ?? 0, message });
      const reply = this.#answer(message, "tcp");
      if (reply !== undefined) socket.write(frame(reply));
    });
  }
}
