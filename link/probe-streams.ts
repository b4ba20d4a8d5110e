/**
 * Probes over streams of the links, for members that UDP does not reach: a question is eight bytes,
 * the answer the same eight. One stream a member, kept while it is asked. A door.
 *
 * Who answers is proven by noise, and that it answers shows that its main loop turns. A peer that
 * sends anything but the answer gave none; one that asks without reading is not read any further.
 */

import type { Duplex } from "node:stream";
import type { NodeId } from "../model/ids.ts";
import type { Clock } from "../ports.ts";
import type { Asker } from "./fallback-probes.ts";
import { protocols, type Streams } from "./streams.ts";

const questionBytes = 8;

export type ProbeStreamStats = {
  readonly asked: number;
  readonly answered: number;
  /** Streams that broke, answered nonsense or were not to be had. */
  readonly failed: number;
  /** Streams on which others ask this node. */
  readonly served: number;
};

export class ProbeStreams implements Asker {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #lines = new Map<NodeId, Line>();
  readonly #served = new Map<string, Duplex>();
  #listener: (node: NodeId, outcome: number | "failed") => void = () => {};
  #asked = 0;
  #answered = 0;
  #failed = 0;

  constructor(streams: Streams, clock: Clock) {
    this.#streams = streams;
    this.#clock = clock;
    streams.serve(protocols.probe, ["node"], (stream, from) => this.#serve(stream, from));
  }

  onOutcome(listener: (node: NodeId, outcome: number | "failed") => void): void {
    this.#listener = listener;
  }

  ask(node: NodeId): void {
    this.#asked++;
    const line = this.#lines.get(node) ?? this.#open(node);
    line.ask(this.#asked);
  }

  #open(node: NodeId): Line {
    const line = new Line(this.#clock, (outcome) => {
      if (outcome === "failed") {
        this.#lines.delete(node);
        this.#failed++;
      } else {
        this.#answered++;
      }
      this.#listener(node, outcome);
    });
    this.#lines.set(node, line);
    void line.open((signal) => this.#streams.open(node, protocols.probe, signal));
    return line;
  }

  drop(node: NodeId): void {
    this.#lines.get(node)?.close();
    this.#lines.delete(node);
  }

  stats(): ProbeStreamStats {
    const counts = { asked: this.#asked, answered: this.#answered, failed: this.#failed };
    return { ...counts, served: this.#served.size };
  }

  /** One stream of each peer is enough: the newest, since it opens one when the last is lost. */
  #serve(stream: Duplex, from: string): void {
    this.#served.get(from)?.destroy();
    this.#served.set(from, stream);
    stream.on("close", () => {
      if (this.#served.get(from) === stream) this.#served.delete(from);
    });
    stream.pipe(stream);
  }
}

/** One stream, being opened or open, and the question on it. */
class Line {
  readonly #clock: Clock;
  readonly #tell: (outcome: number | "failed") => void;
  readonly #closing = new AbortController();
  #stream: Duplex | undefined;
  #question: Buffer | undefined;
  #askedMs = 0;
  #received: Buffer = Buffer.alloc(0);

  constructor(clock: Clock, tell: (outcome: number | "failed") => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  async open(openStream: (signal: AbortSignal) => Promise<Duplex>): Promise<void> {
    const { signal } = this.#closing;
    try {
      const stream = await openStream(signal);
      this.#stream = stream;
      if (signal.aborted) stream.destroy();
      stream.on("data", (chunk: Buffer) => this.#take(chunk));
      stream.on("end", () => this.#fail());
      stream.on("close", () => this.#fail());
      this.#send();
    } catch {
      this.#fail();
    }
  }

  ask(number: number): void {
    this.#question = Buffer.alloc(questionBytes);
    this.#question.writeBigUInt64BE(BigInt(number));
    this.#send();
  }

  close(): void {
    this.#closing.abort();
    this.#stream?.destroy();
  }

  #send(): void {
    if (this.#question === undefined || this.#stream === undefined) return;
    this.#askedMs = this.#clock.monotonicMs();
    this.#stream.write(this.#question);
  }

  #take(chunk: Buffer): void {
    if (this.#closing.signal.aborted) return;
    this.#received = Buffer.concat([this.#received, chunk]);
    const { length } = this.#received;
    const isWhole = length === questionBytes;
    if (isWhole && this.#question?.equals(this.#received)) {
      this.#question = undefined;
      this.#received = Buffer.alloc(0);
      this.#tell(this.#clock.monotonicMs() - this.#askedMs);
    } else if (isWhole || length > questionBytes || this.#question === undefined) {
      this.#fail();
    }
  }

  /** Once, and never after `close`. */
  #fail(): void {
    if (this.#closing.signal.aborted) return;
    this.close();
    this.#tell("failed");
  }
}
