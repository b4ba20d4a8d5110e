/**
 * Docker's multiplexed streams: frames of stdout and stderr in one, each with a header of eight
 * bytes. Pure. A log's frames carry a timestamp each, and a long line comes in several of them.
 *
 * Source: Docker Engine API 1.41, "Attach to a container", stream format.
 */

import { LineSplitter } from "../log-lines.ts";
import { parseTimestamp } from "../timestamp.ts";

export type StreamName = "stdout" | "stderr";

export type FramePiece = {
  readonly stream: StreamName;
  readonly data: Uint8Array;
  /** The frame begins with this piece. */
  readonly isFirst: boolean;
};

const headerBytes = 8;

/** Frames may be cut anywhere and are passed on in the pieces in which they come. */
export class FrameReader {
  readonly #header = new Uint8Array(headerBytes);
  #headerFilled = 0;
  #left = 0;
  #isFirst = false;

  push(chunk: Uint8Array): FramePiece[] {
    const pieces: FramePiece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) at = this.#readHeader(chunk, at);
      else {
        const data = chunk.subarray(at, at + this.#left);
        const stream = this.#header[0] === 2 ? "stderr" : "stdout";
        pieces.push({ stream, data, isFirst: this.#isFirst });
        this.#isFirst = false;
        this.#left -= data.length;
        at += data.length;
      }
    }
    return pieces;
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + headerBytes - this.#headerFilled);
    this.#header.set(part, this.#headerFilled);
    this.#headerFilled += part.length;
    if (this.#headerFilled === headerBytes) {
      this.#headerFilled = 0;
      this.#left = new DataView(this.#header.buffer).getUint32(4);
      this.#isFirst = true;
    }
    return at + part.length;
  }
}

export type StampedLine = {
  readonly stream: StreamName;
  readonly atMs: number;
  readonly line: string;
};

/** A log asked for with timestamps, into lines. A line has the time of its beginning. */
export class LogReader {
  readonly #frames = new FrameReader();
  readonly #streams = { stdout: new StampedStream(), stderr: new StampedStream() };

  push(chunk: Uint8Array): StampedLine[] {
    return this.#frames
      .push(chunk)
      .flatMap(({ stream, data, isFirst }) =>
        this.#streams[stream].push(data, isFirst).map((line) => ({ stream, ...line })),
      );
  }

  flush(): StampedLine[] {
    return (["stdout", "stderr"] as const).flatMap((stream) =>
      this.#streams[stream].flush().map((line) => ({ stream, ...line })),
    );
  }
}

type Stamped = Omit<StampedLine, "stream">;

/** Longer than any timestamp and its space: what is longer is none. */
const stampBytesMax = 40;

class StampedStream {
  readonly #lines = new LineSplitter();
  #stamp: string | undefined;
  #atMs = 0;
  #isMidLine = false;

  push(data: Uint8Array, isFirst: boolean): Stamped[] {
    if (isFirst) this.#stamp = "";
    const text = this.#stamp === undefined ? data : this.#readStamp(data);
    if (text.length === 0) return [];
    const lines = this.#lines.push(text).map((line) => ({ atMs: this.#atMs, line }));
    this.#isMidLine = text.at(-1) !== 10;
    return lines;
  }

  flush(): Stamped[] {
    const line = this.#lines.flush();
    return line === undefined ? [] : [{ atMs: this.#atMs, line }];
  }

  /** What follows the timestamp, nothing while it is not complete. */
  #readStamp(data: Uint8Array): Uint8Array {
    const space = data.indexOf(32);
    const end = space < 0 ? data.length : space;
    this.#stamp += new TextDecoder().decode(data.subarray(0, end).subarray(0, stampBytesMax));
    if (space < 0 && (this.#stamp?.length ?? 0) < stampBytesMax) return new Uint8Array();
    if (!this.#isMidLine) this.#atMs = parseTimestamp(this.#stamp ?? "") ?? this.#atMs;
    this.#stamp = undefined;
    return data.subarray(space + 1);
  }
}

/** A terminal's log has no frames: each line begins with its timestamp. */
export function readTerminalLine(text: string): StampedLine {
  const space = text.indexOf(" ");
  const atMs = parseTimestamp(text.slice(0, Math.max(0, space)));
  if (atMs === undefined) return { stream: "stdout", atMs: 0, line: text };
  return { stream: "stdout", atMs, line: text.slice(space + 1) };
}
