/**
 * Virtual time: one queue of things to happen. Everything simulated asks this for the time and
 * puts what it does later on it; equal times run in the order they were put there.
 */

import type { Clock } from "../ports.ts";

type Entry = {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  live: boolean;
};

/** 2026-01-01T00:00:00Z: where simulated wall clocks begin. */
const wallStartMs = 1_767_225_600_000;

export class World {
  #nowMs = 0;
  #order = 0;
  /** A binary heap by (atMs, order). */
  readonly #heap: Entry[] = [];
  events = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return wallStartMs + Math.floor(this.#nowMs);
  }

  after(delayMs: number, run: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const entry: Entry = { atMs, order: this.#order++, run, live: true };
    this.#push(entry);
    return () => {
      entry.live = false;
    };
  }

  /** Runs until the given time; `afterEach` is the place for safety checks. */
  runUntil(endMs: number, afterEach: () => void): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      if (!next.live) continue;
      this.#nowMs = next.atMs;
      this.events++;
      next.run();
      afterEach();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** Runs until the condition holds, checked after every event; false when time is up. */
  runUntilTrue(condition: () => boolean, endMs: number, afterEach: () => void): boolean {
    const stepMs = 100;
    while (this.#nowMs < endMs) {
      this.runUntil(Math.min(endMs, this.#nowMs + stepMs), afterEach);
      if (condition()) return true;
    }
    return condition();
  }

  /** A clock as one node has it: off by `wallOffsetMs()`, and late while the node is stalled. */
  clock(wallOffsetMs: () => number): Clock {
    return {
      monotonicMs: () => this.#nowMs,
      wallMs: () => this.wallMs() + wallOffsetMs(),
      after: (delayMs, callback) => this.after(delayMs, callback),
    };
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    heap.push(entry);
    let index = heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(heap[index], heap[parent])) break;
      swap(heap, index, parent);
      index = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const child = isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child], heap[index])) return;
      swap(heap, index, child);
      index = child;
    }
  }
}

function isBefore(left: Entry | undefined, right: Entry | undefined): boolean {
  if (left === undefined) return false;
  if (right === undefined) return true;
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

function swap(heap: Entry[], left: number, right: number): void {
  const item = heap[left] as Entry;
  heap[left] = heap[right] as Entry;
  heap[right] = item;
}
