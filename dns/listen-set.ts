/**
 * The addresses that are listened on, following those that should be. An address that is taken or
 * not there yet (a bridge that comes up later) is a problem, and tried again for as long as it is
 * wanted.
 */

import type { Problem } from "../model/problem.ts";
import type { Clock } from "../ports.ts";
import type { ListenerEars } from "./listener.ts";
import { type Place, parsePlace } from "./place.ts";

export type ListenSetParts = {
  readonly open: (place: Place, ears: ListenerEars) => { close(): void };
  readonly clock: Clock;
  /** Something was bound, broke or gave up being a problem. */
  readonly changed: () => void;
};

type Entry = {
  readonly text: string;
  /** As bound; undefined until then. */
  place: Place | undefined;
  /** The system's code or words. */
  failure: string | undefined;
  close: () => void;
  isWanted: boolean;
};

/** A failed bind costs nothing, and a bridge that comes up should be answered on at once. */
const retryMs = 1000;

export class ListenSet {
  readonly #parts: ListenSetParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: ListenSetParts) {
    this.#parts = parts;
  }

  /** Level: the whole list each time. */
  want(addresses: readonly string[]): void {
    const wanted = new Set(addresses);
    for (const entry of this.#entries.values()) {
      if (wanted.has(entry.text)) continue;
      this.#entries.delete(entry.text);
      entry.isWanted = false;
      entry.close();
    }
    // All are known before the first is opened, which may fail at once: see `isSettled`.
    const fresh = [...wanted].filter((text) => !this.#entries.has(text)).map(newEntry);
    for (const entry of fresh) this.#entries.set(entry.text, entry);
    for (const entry of fresh) this.#open(entry);
    this.#parts.changed();
  }

  get places(): readonly Place[] {
    return [...this.#entries.values()].flatMap(({ place }) => place ?? []);
  }

  /** Every address was tried. */
  get isSettled(): boolean {
    return [...this.#entries.values()].every(({ place, failure }) => place ?? failure);
  }

  get problems(): readonly Problem[] {
    return [...this.#entries.values()].flatMap(({ text, failure }) => {
      if (failure === undefined) return [];
      return [{ code: "dns-not-listening", address: text, detail: failure } as const];
    });
  }

  #open(entry: Entry): void {
    const place = parsePlace(entry.text);
    if (place === undefined) {
      entry.failure = "this is no address";
      return;
    }
    let hasFailed = false;
    const listener = this.#parts.open(place, {
      opened: (bound) => {
        if (!entry.isWanted) return;
        entry.place = bound;
        entry.failure = undefined;
        this.#parts.changed();
      },
      failed: (error) => {
        hasFailed = true;
        if (entry.isWanted) this.#retryLater(entry, error);
      },
    });
    // It may have failed already, and then waits to be tried again.
    if (!hasFailed) entry.close = () => listener.close();
  }

  #retryLater(entry: Entry, error: Error): void {
    entry.place = undefined;
    entry.failure = "code" in error ? String(error.code) : error.message;
    entry.close = this.#parts.clock.after(retryMs, () => this.#open(entry));
    this.#parts.changed();
  }
}

function newEntry(text: string): Entry {
  return { text, place: undefined, failure: undefined, close: () => {}, isWanted: true };
}
