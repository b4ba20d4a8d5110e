/**
 * One stream of a task's output: a file that the task itself appends to, so that it can go on
 * while no agent runs. A door.
 *
 * A file has no times, so they are kept beside it: "up to this byte it had grown by this time",
 * noted whenever it was seen to have grown. A line's time is therefore late by as long as nobody
 * looked: a look's interval, or until the next agent. The file is bounded by moving its contents
 * away and emptying it, since the task holds it open; one older file is kept.
 */

import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";

/** Growth up to `end` (a byte offset, exclusive) was seen at `atMs`. */
type Stamp = { readonly end: number; readonly atMs: number };

/** Where a reader stands. Only the current file and the one before it can be read. */
export type Cursor = { generation: number; offset: number };

export type Piece = { readonly atMs: number; readonly data: Uint8Array };

const chunkBytes = 65_536;
/** Past this many a file's stamps are made no more often than every so many ms. */
const stampsMax = 20_000;
const sparseStampMs = 5_000;

export class StreamLog {
  readonly path: string;
  readonly #bytesMax: number;
  #file: number | undefined;
  #generation = 1;
  #stamps: Stamp[] = [];
  #olderStamps: readonly Stamp[] = [];

  constructor(path: string, bytesMax: number) {
    this.path = path;
    this.#bytesMax = bytesMax;
    this.#stamps = readStamps(`${path}.times`);
    this.#olderStamps = readStamps(`${path}.1.times`);
  }

  /** At the oldest byte there is. */
  begin(): Cursor {
    return { generation: this.#generation - 1, offset: 0 };
  }

  /** Notes growth, and moves a full file away. */
  look(nowMs: number): void {
    const file = this.#open();
    if (file === undefined) return;
    const { size, mtimeMs } = fstatSync(file);
    const last = this.#stamps.at(-1);
    if (size < (last?.end ?? 0)) this.#forget();
    // What was written while nobody looked was written no later than the file was changed.
    else if (size > (last?.end ?? 0)) this.#stamp(size, Math.min(nowMs, Math.ceil(mtimeMs)), last);
    if (size > this.#bytesMax) this.#rotate(file, nowMs);
  }

  /** When what stands at the cursor was written; undefined at the end of what there is. */
  nextAtMs(cursor: Cursor): number | undefined {
    return this.#find(cursor)?.atMs;
  }

  /** The bytes at the cursor that share one time; moves it past them. */
  read(cursor: Cursor): Piece | undefined {
    const stamp = this.#find(cursor);
    if (stamp === undefined) return undefined;
    const data = Buffer.allocUnsafe(Math.min(chunkBytes, stamp.end - cursor.offset));
    const bytes = this.#readAt(cursor, data);
    // The older file may be shorter than its stamps when the disk was full: skip what is missing.
    cursor.offset = bytes === 0 ? stamp.end : cursor.offset + bytes;
    return { atMs: stamp.atMs, data: data.subarray(0, bytes) };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #find(cursor: Cursor): Stamp | undefined {
    if (cursor.generation < this.#generation - 1) {
      Object.assign(cursor, this.begin());
    }
    if (cursor.generation === this.#generation - 1) {
      const older = firstAfter(this.#olderStamps, cursor.offset);
      if (older !== undefined) return older;
      Object.assign(cursor, { generation: this.#generation, offset: 0 });
    }
    return firstAfter(this.#stamps, cursor.offset);
  }

  #readAt(cursor: Cursor, data: Uint8Array): number {
    if (cursor.generation === this.#generation) {
      const file = this.#open();
      return file === undefined ? 0 : readSync(file, data, 0, data.length, cursor.offset);
    }
    const older = openIfThere(`${this.path}.1`);
    if (older === undefined) return 0;
    try {
      return readSync(older, data, 0, data.length, cursor.offset);
    } finally {
      closeSync(older);
    }
  }

  #stamp(end: number, atMs: number, last: Stamp | undefined): void {
    const isSparse = this.#stamps.length >= stampsMax;
    if (isSparse && last !== undefined && atMs - last.atMs < sparseStampMs) {
      this.#stamps[this.#stamps.length - 1] = { end, atMs: last.atMs };
      return;
    }
    // Time does not go back within a log, whatever the clock does.
    const stamp = { end, atMs: Math.max(atMs, last?.atMs ?? 0) };
    this.#stamps.push(stamp);
    appendFileSync(`${this.path}.times`, `${stamp.end} ${stamp.atMs}\n`);
  }

  /** Lines written between the last copy and the truncation are lost: some microseconds. */
  #rotate(file: number, nowMs: number): void {
    copyFileSync(this.path, `${this.path}.1`);
    this.#copyRest(file, nowMs);
    ftruncateSync(file, 0);
    renameSync(`${this.path}.times`, `${this.path}.1.times`);
    this.#olderStamps = this.#stamps;
    this.#stamps = [];
    this.#generation++;
  }

  #copyRest(file: number, nowMs: number): void {
    const copied = statSync(`${this.path}.1`).size;
    const grown = fstatSync(file).size;
    if (grown > copied) {
      const rest = Buffer.alloc(grown - copied);
      const bytes = readSync(file, rest, 0, rest.length, copied);
      appendFileSync(`${this.path}.1`, rest.subarray(0, bytes));
    }
    const end = Math.max(copied, grown);
    const last = this.#stamps.at(-1);
    if (end > (last?.end ?? 0)) this.#stamp(end, nowMs, last);
  }

  /** The task emptied its own log. */
  #forget(): void {
    this.#stamps = [];
    this.#olderStamps = [];
    this.#generation++;
    rmSync(`${this.path}.times`, { force: true });
  }

  /** For reading and emptying; the task has its own descriptor for appending. */
  #open(): number | undefined {
    this.#file ??= openIfThere(this.path, "r+");
    return this.#file;
  }
}

function openIfThere(path: string, flags = "r"): number | undefined {
  return existsSync(path) ? openSync(path, flags) : undefined;
}

/** Stamps ascend by offset. */
function firstAfter(stamps: readonly Stamp[], offset: number): Stamp | undefined {
  let low = 0;
  let high = stamps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stamps[middle] as Stamp).end > offset) high = middle;
    else low = middle + 1;
  }
  return stamps[low];
}

/** A line that a crash cut short is left out, with what would come after it. */
function readStamps(path: string): Stamp[] {
  if (!existsSync(path)) return [];
  const stamps: Stamp[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const [end, atMs] = line.split(" ").map(Number);
    const isNext = Number.isSafeInteger(end) && (end as number) > (stamps.at(-1)?.end ?? 0);
    if (!isNext || !Number.isSafeInteger(atMs)) break;
    stamps.push({ end: end as number, atMs: atMs as number });
  }
  return stamps;
}
