/**
 * Joins a client's socket to a local endpoint's: the fast path, a door.
 *
 * Node's `onread` reads into memory of ours in place of allocating 64 KiB for each chunk, and we
 * use the same memory again as soon as the kernel has taken what was written from it. Measured
 * against `pipe`: 1.3 times the requests per second over kept connections.
 *
 * Node has `onread` for sockets that connect, not for those that a server accepts. So the accepted
 * one is paused (it has read nothing) and gives its handle to a new socket: `takeOver`.
 *
 * Order of events, whatever comes first: an end is passed on as an end; a close that was not
 * preceded by both ends resets the other side.
 */

import { Socket } from "node:net";
import { ignore, reset } from "./means.ts";
import { isWhole, type Watch } from "./watch.ts";

/** What Linux gives in one read of a busy socket; memory that is never touched costs nothing. */
const bufferBytes = 65_536;
/** Buffers kept for the next connections. */
const spareMax = 256;
const spare: Buffer[] = [];

/** One direction: what `source` reads goes to `sink`. */
export class Flow {
  readonly onread: {
    buffer: () => Buffer;
    callback: (bytes: number, buffer: Uint8Array) => boolean;
  };
  #buffer: Buffer = spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  /** The kernel did not take all at once: Node still reads from the buffer. */
  #lent = false;
  #sink: Socket | undefined;
  #watch: Watch | undefined;
  #first: keyof Watch = "asked";

  constructor() {
    this.onread = {
      buffer: () => {
        if (this.#lent) this.#buffer = spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
        this.#lent = false;
        return this.#buffer;
      },
      callback: (bytes) => this.#pass(bytes),
    };
  }

  /** Before the source reads anything. `first` is what `watch` is told of its first bytes. */
  start(source: Socket, sink: Socket, watch: Watch, first: keyof Watch): void {
    this.#sink = sink;
    this.#watch = watch;
    this.#first = first;
    sink.on("drain", () => source.resume());
    source.on("end", () => sink.end());
  }

  /** When neither socket can touch the buffer any more. */
  end(): void {
    if (!this.#lent && spare.length < spareMax) spare.push(this.#buffer);
    this.#lent = true;
  }

  /** False stops the source until the sink has drained. */
  #pass(bytes: number): boolean {
    const sink = this.#sink as Socket;
    if (this.#watch !== undefined) {
      this.#watch[this.#first]();
      this.#watch = undefined;
    }
    if (sink.destroyed) return false;
    sink.write(this.#buffer.subarray(0, bytes));
    if (sink.writableLength === 0) return true;
    this.#lent = true;
    return !sink.writableNeedDrain;
  }
}

/**
 * Joins a paused client, as its server accepted it, to an endpoint's socket that was made with
 * `back.onread`. Returns the client's new socket; undefined when the client has gone.
 */
export function splice(
  accepted: Socket,
  endpoint: Socket,
  back: Flow,
  watch: Watch,
): Socket | undefined {
  const out = new Flow();
  const client = takeOver(accepted, out);
  if (client === undefined) {
    out.end();
    return undefined;
  }
  out.start(client, endpoint, watch, "asked");
  back.start(endpoint, client, watch, "answered");
  let open = 2;
  const closed = (other: Socket) =>
    function (this: Socket): void {
      if (!isWhole(this)) reset(other);
      if (--open > 0) return;
      out.end();
      back.end();
    };
  client.on("close", closed(endpoint));
  endpoint.on("close", closed(client));
  client.resume();
  endpoint.resume();
  return client;
}

/** The fields of a socket that a server's accepted one has, and that change hands. */
type Accepted = { _handle: object | null; _server: object | null; server: object | null };

function takeOver(accepted: Socket, { onread }: Flow): Socket | undefined {
  const old = accepted as unknown as Accepted;
  const handle = old._handle;
  if (handle === null || accepted.destroyed) return undefined;
  old._handle = null;
  const options = { handle, allowHalfOpen: true, onread };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  socket.on("error", ignore);
  // The server counts its connections down through these when the new socket closes.
  Object.assign(socket, { _server: old._server, server: old.server });
  old._server = old.server = null;
  return socket;
}
