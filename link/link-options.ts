/** What a link needs to know, and what it takes to be so when it is not told. */

import type { Identity } from "../trust/identity.ts";

export type LinkOptions = {
  readonly identity: Identity;
  /** 32 bytes: whoever has others completes no handshake. */
  readonly secret: Uint8Array;
  /** "/ip4/0.0.0.0/tcp/7946"; port 0 for any. */
  readonly listen: readonly string[];
  /** Look for peers on the LAN. */
  readonly mdns: boolean;
  log(event: string, detail: Readonly<Record<string, unknown>>): void;
  /** As gossip/frames.ts has it. */
  readonly frameBytesMax?: number;
  /** What may wait for a peer that reads slowly. */
  readonly queueBytesMax?: number;
  /** Up to so many links a broadcast goes to each directly, beyond them by gossipsub. */
  readonly directLinksMax?: number;
  readonly nodesMax?: number;
};

/**
 * Sending to 64 peers costs the sender 7 ms and the mesh 12; gossipsub 2 ms a node, 120 in all. It
 * is the sender's burst that grows, so beyond this others share it.
 */
export const defaults = {
  frameBytesMax: 512 * 1024,
  queueBytesMax: 2 * 1024 * 1024,
  directLinksMax: 64,
  nodesMax: 1_000,
};
