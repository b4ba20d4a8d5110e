/**
 * What changes while an agent runs, and what it must keep in step: its addresses, its claim to a
 * subnet, the DNS door that its containers reach, and what it needs to find its mesh again. A door.
 */

import type { Dns } from "../dns/server.ts";
import type { Link } from "../link/link.ts";
import type { Peer } from "../ports.ts";
import { nextClaim } from "./container-network.ts";
import type { Desired } from "./desired.ts";
import { writeKeepsake } from "./founding.ts";
import type { Host } from "./host.ts";
import type { Log } from "./log.ts";
import { readNode } from "./mesh-facts.ts";
import { realClock } from "./real-world.ts";
import type { Settings } from "./settings.ts";

export type Kept = {
  readonly settings: Settings;
  readonly host: Host;
  readonly link: Link;
  readonly dns: Dns;
  readonly engines: readonly { readonly kind: string }[];
  readonly log: Log;
};

/** How often the node looks whether its claim still holds, ms. */
const lookMs = 1_000;

/** The same while containers wait for the first claim, ms. */
const hurryMs = 100;

export function keepUp(kept: Kept): { close(): void } {
  const { host, link, log } = kept;
  link.onAddressesChanged((addresses) => {
    log.info("addresses", { addresses });
    host.take({ kind: "facts-learnt", facts: { addresses: [...addresses] } });
  });
  const claim = new Claim(kept);
  const keepsake = new Keepsake(kept);
  let stop = (): void => {};
  const look = (): void => {
    const desired = host.agent.desired(host.moment());
    claim.look(desired);
    keepsake.look(desired);
    stop = realClock.after(claim.isSettled ? lookMs : hurryMs, look);
  };
  look();
  return { close: () => stop() };
}

/** The subnet of this node's containers, and DNS where they reach it. */
class Claim {
  readonly #kept: Kept;
  readonly #startMs = realClock.monotonicMs();
  /** As of the run before: containers that still run have addresses of it. */
  #before: string;
  #told: string | undefined;

  constructor(kept: Kept) {
    this.#kept = kept;
    const { agent } = kept.host;
    this.#before = readNode(agent.store, agent.self).facts?.subnet ?? "";
  }

  /** Nothing waits for it. */
  get isSettled(): boolean {
    return this.#told !== undefined || !this.#kept.engines.some(({ kind }) => kind === "docker");
  }

  look(desired: Desired): void {
    const { host, dns, settings, engines } = this.#kept;
    if (!engines.some(({ kind }) => kind === "docker")) return;
    const sinceMs = realClock.monotonicMs() - this.#startMs;
    const { subnet, dnsAddress } = nextClaim(host.agent.self, desired, this.#before, sinceMs);
    if (subnet === "" || subnet === this.#told) return;
    this.#before = subnet;
    this.#told = subnet;
    host.take({ kind: "facts-learnt", facts: { subnet }, dnsAddress });
    dns.listen([...settings.dns, `${dnsAddress}:53`]);
  }
}

/** Facts and addresses of peers, outside the database. */
class Keepsake {
  readonly #kept: Kept;
  #text = "";

  constructor(kept: Kept) {
    this.#kept = kept;
  }

  look(desired: Desired): void {
    const { host, settings, log } = this.#kept;
    const peers = desired.members
      .filter(({ node }) => node !== host.agent.self)
      .map(({ node, rows }): Peer => ({ node, addresses: rows.facts?.addresses ?? [] }));
    const facts = host.agent.store.trust.entries();
    const text = JSON.stringify([facts.size, peers]);
    if (text === this.#text) return;
    try {
      writeKeepsake(settings.data, [...facts.values()], peers);
      this.#text = text;
    } catch (error) {
      // A full disk; the database says so to people, and this is tried again.
      log.warn("keepsake", { detail: error instanceof Error ? error.message : String(error) });
    }
  }
}
