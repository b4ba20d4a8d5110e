/**
 * A libp2p stream as a plain Node duplex: back-pressure, half-close and reset, each both ways. The
 * one place where the two meet, because each way of getting it nearly right loses or hoards bytes:
 *
 * - `stream.onDrain()` resolves at once after its first time; only the `drain` event tells, and
 *   even that comes before the stream's own buffer has been tried again (`whenDrained`).
 * - `for await` over a stream never pauses it; `pause()` inside the dispatch of `resume()` leaves
 *   yamux handing out window while the stream hoards (`#resume`).
 * - A connection that dies ends its streams without an error. Only an end that the other side
 *   announced is an end; any other is a reset, or a torn transfer would pass for a whole one. The
 *   error's code tells who is gone: ECONNRESET, the stream's other end reset it; ECONNABORTED, the
 *   connection was lost, and whatever was under way on it.
 *
 * Needs a window no larger than the read buffer: link/secure-transport.ts.
 */

import { Duplex } from "node:stream";
import type { Stream } from "@libp2p/interface";

/** A reset nobody listens for does not stop the process: the duplex is destroyed, that is all. */
export function streamDuplex(stream: Stream): Duplex {
  return new StreamDuplex(stream).on("error", () => {});
}

/** Calls back once, when the stream takes more. Never, when it closes: listen for that, too. */
export function whenDrained(stream: Stream, callback: () => void): void {
  let isDone = false;
  const look = (): void => {
    // The stream tries its own buffer in a microtask that was queued just before this one.
    queueMicrotask(() => {
      if (isDone || stream.writableNeedsDrain) return;
      isDone = true;
      stream.removeEventListener("drain", look);
      callback();
    });
  };
  stream.addEventListener("drain", look);
}

type Done = (error?: Error | null) => void;

class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  /** The other side closed its writing end, as opposed to vanishing. */
  #isAnnounced: boolean;
  #isEnded = false;
  /** Our own end is on its way: what becomes of it, `close()` tells. */
  #isFinishing = false;
  #isResuming = false;
  #pauseIsDue = false;
  #waiting: Done | undefined;

  constructor(stream: Stream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#isAnnounced = stream.status === "open" && stream.remoteWriteStatus === "closed";
    stream.addEventListener("message", ({ data }) => this.#take(data));
    stream.addEventListener("remoteCloseWrite", () => {
      this.#isAnnounced = true;
    });
    stream.addEventListener("end", () => this.#end());
    stream.addEventListener("close", ({ error }) => {
      const isWhole = this.#isAnnounced && this.#isFinishing;
      if (error !== undefined || !isWhole) this.destroy(this.#resetError(error));
    });
    if (stream.readableEnded) this.#end();
    else if (stream.status !== "open") this.destroy(this.#resetError());
  }

  #take(data: Uint8Array | Iterable<Uint8Array>): void {
    if (this.destroyed) return;
    let wantsMore = true;
    for (const part of data instanceof Uint8Array ? [data] : data) wantsMore = this.push(part);
    if (wantsMore) return;
    if (this.#isResuming) this.#pauseIsDue = true;
    else this.#pause();
  }

  #end(): void {
    if (this.destroyed || this.#isEnded) return;
    this.#isEnded = true;
    if (this.#isAnnounced) this.push(null);
    else this.destroy(this.#resetError());
  }

  #pause(): void {
    if (this.#stream.readStatus === "readable") this.#stream.pause();
  }

  override _read(): void {
    this.#pauseIsDue = false;
    if (!this.#isResuming && this.#stream.readStatus === "paused") this.#resume();
  }

  #resume(): void {
    this.#isResuming = true;
    try {
      this.#stream.resume();
    } finally {
      this.#isResuming = false;
    }
    if (!this.#pauseIsDue) return;
    this.#pauseIsDue = false;
    this.#pause();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: Done): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  #send(bytes: Uint8Array, done: Done): void {
    this.#waiting = done;
    try {
      if (this.#stream.send(bytes)) this.#release();
      else whenDrained(this.#stream, () => this.#release());
    } catch (error) {
      this.#release(this.#resetError(error));
    }
  }

  #release(error?: Error): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.(error);
  }

  override _final(done: Done): void {
    this.#isFinishing = true;
    // What it rejects with may be an event and no error.
    this.#stream.close().then(
      () => done(),
      (cause: unknown) => done(this.#resetError(cause)),
    );
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#stream.abort(error ?? new Error("destroyed"));
    this.#release(error ?? this.#resetError());
    done(error);
  }

  #resetError(cause?: unknown): Error {
    const error = new Error("the stream was reset", cause === undefined ? {} : { cause });
    const code = this.#stream.status === "reset" ? "ECONNRESET" : "ECONNABORTED";
    return Object.assign(error, { code });
  }
}
