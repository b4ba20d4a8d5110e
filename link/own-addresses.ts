/**
 * This host's own addresses, looked at every other second: a laptop moves, DHCP changes its mind, a
 * cable is pulled. Nothing tells us, and looking costs a tenth of a millisecond. A door.
 */

import { networkInterfaces } from "node:os";
import { announcedAddresses, type Bound, type Interface } from "./addresses.ts";

const lookMs = 2_000;

export class OwnAddresses {
  readonly #bound: readonly Bound[];
  readonly #listeners = new Set<(addresses: readonly string[]) => void>();
  readonly #look: () => readonly Interface[];
  readonly #timer: NodeJS.Timeout;
  #current: readonly string[];

  /** `look` is for tests: what the host's interfaces are. */
  constructor(bound: readonly Bound[], look: () => readonly Interface[] = readInterfaces) {
    this.#bound = bound;
    this.#look = look;
    this.#current = announcedAddresses(bound, look());
    this.#timer = setInterval(() => this.#compare(), lookMs);
    this.#timer.unref();
  }

  current(): readonly string[] {
    return this.#current;
  }

  onChanged(listener: (addresses: readonly string[]) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #compare(): void {
    const found = announcedAddresses(this.#bound, this.#look());
    if (found.join() === this.#current.join()) return;
    this.#current = found;
    for (const listener of this.#listeners) listener(found);
  }
}

function readInterfaces(): Interface[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).map(({ family, address, internal }) => ({ name, family, address, internal })),
  );
}
