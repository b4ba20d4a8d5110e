/**
 * Frames to one peer and to all. A broadcast goes to each link directly while links are few; beyond
 * that by gossipsub, and directly only to those that gossip does not reach yet. These may hear it
 * from others as well: frames may be repeated.
 */

import type { NodeId } from "../model/ids.ts";
import type { Connections } from "./connections.ts";
import type { Counters } from "./counters.ts";
import type { Gossip } from "./gossip.ts";
import { packRecord } from "./records.ts";

/** From this share of the limit on, gossip streams are opened: they are there when needed. */
const gossipFrom = 0.75;

export type TrafficOptions = {
  readonly connections: Connections;
  readonly gossip: Gossip;
  readonly counters: Counters;
  readonly frameBytesMax: number;
  /** Up to so many links a broadcast goes to each directly. */
  readonly directLinksMax: number;
};

export class Traffic {
  readonly #options: TrafficOptions;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  send(to: NodeId, frame: Uint8Array): void {
    if (this.#isOfNoUse(frame)) return;
    this.#options.connections.send(to, packRecord(frame));
  }

  broadcast(frame: Uint8Array): void {
    if (this.#isOfNoUse(frame)) return;
    const { connections, gossip, counters, directLinksMax } = this.#options;
    const linked = connections.linked();
    const isMany = linked.length > directLinksMax;
    const reached = isMany ? gossip.reached() : new Set<string>();
    const packed = packRecord(frame);
    for (const peer of linked) if (!reached.has(peer)) connections.send(peer, packed);
    if (reached.size > 0) gossip.publish(frame);
    const isForAll = linked.every((peer) => reached.has(peer));
    const way = isForAll ? "broadcastsGossiped" : "broadcastsMixed";
    counters.add(reached.size > 0 ? way : "broadcastsDirect");
  }

  /** About once a second. Also mends gossip streams that died while their connection lives. */
  tend(): void {
    const { connections, gossip, directLinksMax } = this.#options;
    const linked = connections.linked();
    if (linked.length <= directLinksMax * gossipFrom) return;
    for (const peer of linked) {
      const connection = connections.best(peer);
      if (connection !== undefined) gossip.connect(connection);
    }
  }

  #isOfNoUse(frame: Uint8Array): boolean {
    const isTooLong = frame.length > this.#options.frameBytesMax;
    if (isTooLong) this.#options.counters.add("framesTooLong");
    return isTooLong || frame.length === 0;
  }
}
