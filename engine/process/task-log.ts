/** The log of a task that is a process: its two streams, read as one. A door. */

import { join } from "node:path";
import { setImmediate as breathe, setTimeout as sleep } from "node:timers/promises";
import type { TaskId } from "../../model/ids.ts";
import type { LogChunk, LogOptions } from "../../ports.ts";
import { isRecent, LineSplitter, Tail } from "../log-lines.ts";
import { type Cursor, StreamLog } from "./stream-log.ts";

/** Of each stream; with the one older file of each a task has four times this at the most. */
export const logBytesMax = 8 * 2 ** 20;
/** A follower sees a line this late at the most, ms. */
const followPollMs = 100;
/** Pieces read in one go before others have their turn. */
const piecesAtOnce = 16;

type Reader = {
  readonly stream: LogChunk["stream"];
  readonly log: StreamLog;
  readonly cursor: Cursor;
  readonly lines: LineSplitter;
  lastAtMs: number;
};

export class TaskLog {
  readonly #task: TaskId;
  readonly #streams: Readonly<Record<LogChunk["stream"], StreamLog>>;

  constructor(task: TaskId, directory: string, bytesMax: number = logBytesMax) {
    this.#task = task;
    this.#streams = {
      stdout: new StreamLog(join(directory, "stdout.log"), bytesMax),
      stderr: new StreamLog(join(directory, "stderr.log"), bytesMax),
    };
  }

  path(stream: LogChunk["stream"]): string {
    return this.#streams[stream].path;
  }

  look(nowMs: number): void {
    this.#streams.stdout.look(nowMs);
    this.#streams.stderr.look(nowMs);
  }

  close(): void {
    this.#streams.stdout.close();
    this.#streams.stderr.close();
  }

  /** Streams are merged by time. Ends with the task when it follows, else with what there is. */
  async *read(options: LogOptions, isOver: () => boolean): AsyncIterable<LogChunk> {
    const readers = (["stdout", "stderr"] as const).map((stream) => this.#reader(stream));
    let tail = options.tail === undefined ? undefined : new Tail(options.tail);
    let pieces = 0;
    while (!options.signal.aborted) {
      // Asked before the look: what a task says last is seen by a look after its end.
      const over = isOver();
      this.look(Date.now());
      for (;;) {
        const chunks = this.#next(readers);
        if (chunks === undefined) break;
        for (const chunk of chunks) {
          if (!isRecent(chunk, options)) continue;
          if (tail === undefined) yield chunk;
          else tail.push(chunk);
        }
        if (options.signal.aborted) return;
        if (++pieces % piecesAtOnce === 0) await breathe();
      }
      if (over || !options.follow) {
        for (const chunk of this.#rest(readers)) {
          if (tail === undefined) yield chunk;
          else tail.push(chunk);
        }
      }
      if (tail !== undefined) yield* tail.take();
      tail = undefined;
      if (over || !options.follow) return;
      await sleep(followPollMs, undefined, { signal: options.signal }).catch(() => {});
    }
  }

  #reader(stream: LogChunk["stream"]): Reader {
    const log = this.#streams[stream];
    return { stream, log, cursor: log.begin(), lines: new LineSplitter(), lastAtMs: 0 };
  }

  /** The lines of the oldest piece that is left; undefined when there is none. */
  #next(readers: readonly Reader[]): LogChunk[] | undefined {
    let oldest: Reader | undefined;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const reader of readers) {
      const atMs = reader.log.nextAtMs(reader.cursor);
      if (atMs === undefined || atMs >= oldestMs) continue;
      oldest = reader;
      oldestMs = atMs;
    }
    const piece = oldest?.log.read(oldest.cursor);
    if (oldest === undefined || piece === undefined) return undefined;
    const { stream, lines } = oldest;
    oldest.lastAtMs = piece.atMs;
    return lines
      .push(piece.data)
      .map((line) => ({ task: this.#task, stream, atMs: piece.atMs, line }));
  }

  /** Last words without a newline. */
  #rest(readers: readonly Reader[]): LogChunk[] {
    return readers.flatMap(({ stream, lines, lastAtMs }) => {
      const line = lines.flush();
      return line === undefined ? [] : [{ task: this.#task, stream, atMs: lastAtMs, line }];
    });
  }
}
