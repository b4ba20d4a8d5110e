/**
 * Records both ways on one pooled stream of a connection. Best effort: towards a peer that reads
 * too slowly the oldest records are dropped, since news outdates them and anti-entropy mends it.
 *
 * A slow peer costs at most `queueBytesMax`, one record and the stream's own window.
 */

import type { Stream } from "@libp2p/interface";
import { RecordReader } from "./records.ts";
import { whenDrained } from "./stream-duplex.ts";

export type ChannelOptions = {
  readonly recordBytesMax: number;
  readonly queueBytesMax: number;
  onRecord(record: Uint8Array): void;
  /** What arrived makes no sense. The stream has been reset. */
  onInvalid(): void;
  onDropped(records: number): void;
  /** Once, for whatever reason the stream is gone. */
  onClosed(): void;
};

export class FrameChannel {
  readonly #stream: Stream;
  readonly #options: ChannelOptions;
  readonly #reader: RecordReader;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isBlocked = false;

  constructor(stream: Stream, options: ChannelOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#reader = new RecordReader(options.recordBytesMax);
    stream.addEventListener("message", ({ data }) => {
      for (const part of data instanceof Uint8Array ? [data] : data) this.#take(part);
    });
    stream.addEventListener("remoteCloseWrite", () => this.abort("the other side ended it"));
    stream.addEventListener("close", () => options.onClosed());
    if (stream.remoteWriteStatus === "closed") this.abort("it ended before it began");
  }

  get isOpen(): boolean {
    return this.#stream.status === "open";
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** As `packRecord` made it: one packing serves all peers. */
  send(packed: Uint8Array): void {
    if (!this.isOpen) this.#options.onDropped(1);
    else if (this.#isBlocked) this.#enqueue(packed);
    else this.#write(packed);
  }

  abort(reason: string): void {
    this.#stream.abort(new Error(reason));
  }

  #enqueue(packed: Uint8Array): void {
    this.#queue.push(packed);
    this.#queuedBytes += packed.length;
    let dropped = 0;
    while (this.#queuedBytes > this.#options.queueBytesMax) {
      this.#queuedBytes -= (this.#queue.shift() as Uint8Array).length;
      dropped += 1;
    }
    if (dropped > 0) this.#options.onDropped(dropped);
  }

  #take(chunk: Uint8Array): void {
    // A listener may have ended the stream half way through what arrived.
    if (!this.isOpen) return;
    const records = this.#reader.push(chunk);
    for (const record of records ?? []) if (this.isOpen) this.#options.onRecord(record);
    if (records !== undefined) return;
    this.#options.onInvalid();
    this.abort("not a frame");
  }

  #write(packed: Uint8Array): void {
    try {
      this.#isBlocked = !this.#stream.send(packed);
    } catch {
      this.#options.onDropped(1);
    }
    if (this.#isBlocked) whenDrained(this.#stream, () => this.#flush());
  }

  #flush(): void {
    this.#isBlocked = false;
    while (!this.#isBlocked && this.isOpen) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#queuedBytes -= next.length;
      this.#write(next);
    }
  }
}
