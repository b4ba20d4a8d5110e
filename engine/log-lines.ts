/** Bytes of a log into lines, and the choice of the lines somebody asked for. Pure. */

import type { LogChunk, LogOptions } from "../ports.ts";

/** A longer line is cut into several: a program that prints no newline must not fill memory. */
const lineBytesMax = 65_536;
const newline = 10;

export class LineSplitter {
  #rest: Uint8Array[] = [];
  #restBytes = 0;

  /** The lines that this piece completes. */
  push(piece: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (;;) {
      const at = piece.indexOf(newline, from);
      const room = from + lineBytesMax - this.#restBytes;
      const end = at < 0 ? piece.length : at;
      if (end > room) {
        lines.push(this.#complete(piece.subarray(from, room)));
        from = room;
      } else if (at < 0) {
        this.#keep(piece.subarray(from));
        return lines;
      } else {
        lines.push(this.#complete(piece.subarray(from, at)));
        from = at + 1;
      }
    }
  }

  /** What stands after the last newline; undefined when there is nothing. */
  flush(): string | undefined {
    return this.#restBytes === 0 ? undefined : this.#complete(new Uint8Array());
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return;
    // A copy: the piece may be a view of a buffer that is used again.
    this.#rest.push(piece.slice());
    this.#restBytes += piece.length;
  }

  #complete(piece: Uint8Array): string {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([...this.#rest, piece]);
    this.#rest = [];
    this.#restBytes = 0;
    const end = bytes.at(-1) === 13 ? bytes.length - 1 : bytes.length;
    return decoder.decode(bytes.subarray(0, end));
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Lines asked for with `tail` are held in memory before the first is sent: not any number. */
export const tailMax = 100_000;

/** Keeps the last `tail` of what is pushed. */
export class Tail {
  readonly #size: number;
  #chunks: LogChunk[] = [];

  constructor(tail: number) {
    this.#size = Math.min(Math.max(0, tail), tailMax);
  }

  push(chunk: LogChunk): void {
    this.#chunks.push(chunk);
    // In one go now and then: shifting an array at every line is quadratic.
    if (this.#chunks.length >= 2 * this.#size + 16) this.#chunks = this.take();
  }

  take(): LogChunk[] {
    return this.#size === 0 ? [] : this.#chunks.slice(-this.#size);
  }
}

export function isRecent(chunk: LogChunk, { sinceMs }: Pick<LogOptions, "sinceMs">): boolean {
  return sinceMs === undefined || chunk.atMs >= sinceMs;
}
