/**
 * Which ports are listened on: opens those that the table wants, closes the others, tries the
 * failed ones again and says which they are. Level-triggered; pure, the doors are handed in.
 */

import type { Problem } from "../model/problem.ts";
import type { Clock } from "../ports.ts";
import type { Backends } from "./backends.ts";

export type PublishedPort = {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  /** Of whichever service has the port now: looked at for each connection. */
  backends: Backends;
};

/** Begins to listen. One of the two is called, never at once; `failed` may come later as well. */
export type PortOpener = (
  port: PublishedPort,
  opened: () => void,
  failed: (error: Error) => void,
) => { close(): void };

type Entry = {
  readonly wanted: PublishedPort;
  /** Ends what is going on: a listener or the wait for the next attempt. */
  close: () => void;
  problem: string | undefined;
};

export class PublishedPorts {
  readonly #open: PortOpener;
  readonly #clock: Pick<Clock, "after">;
  readonly #retryMs: number;
  readonly #node: string;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners: ((problems: readonly Problem[]) => void)[] = [];

  constructor(open: PortOpener, clock: Pick<Clock, "after">, retryMs: number, node: string) {
    this.#open = open;
    this.#clock = clock;
    this.#retryMs = retryMs;
    this.#node = node;
  }

  /** Level: all that are wanted. A port keeps its listener when it changes hands. */
  install(wanted: readonly PublishedPort[]): void {
    const keys = new Set(wanted.map(keyOf));
    let cured = false;
    for (const [key, entry] of this.#entries) {
      if (keys.has(key)) continue;
      this.#entries.delete(key);
      entry.close();
      cured ||= entry.problem !== undefined;
    }
    for (const port of wanted) {
      const known = this.#entries.get(keyOf(port));
      if (known === undefined) this.#add(port);
      else known.wanted.backends = port.backends;
    }
    if (cured) this.#tell();
  }

  onProblems(listener: (problems: readonly Problem[]) => void): void {
    this.#listeners.push(listener);
  }

  #add(wanted: PublishedPort): void {
    const entry: Entry = { wanted, close: () => {}, problem: undefined };
    this.#entries.set(keyOf(wanted), entry);
    this.#attempt(entry);
  }

  #attempt(entry: Entry): void {
    let isOver = false;
    const door = this.#open(
      entry.wanted,
      () => {
        if (!isOver) this.#note(entry, undefined);
      },
      (error) => {
        if (isOver) return;
        isOver = true;
        door.close();
        entry.close = this.#clock.after(this.#retryMs, () => this.#attempt(entry));
        this.#note(entry, error.message);
      },
    );
    entry.close = () => {
      isOver = true;
      door.close();
    };
  }

  #note(entry: Entry, problem: string | undefined): void {
    if (entry.problem === problem) return;
    entry.problem = problem;
    this.#tell();
  }

  #tell(): void {
    const problems = [...this.#entries.values()].flatMap(({ wanted, problem }): Problem[] => {
      if (problem === undefined) return [];
      const { port, protocol } = wanted;
      return [{ code: "port-in-use", port, protocol, node: this.#node, detail: problem }];
    });
    for (const listener of this.#listeners) listener(problems);
  }
}

function keyOf({ port, protocol }: PublishedPort): string {
  return `${port}/${protocol}`;
}
