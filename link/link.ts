/**
 * Connections to the other nodes of a mesh, frames and byte streams over them, and nothing of what
 * they mean. Everything above sees node ids that noise has proven, and Node's own streams.
 *
 * Begin reading at `openLink`. link/connections.ts knows when a link counts, link/redialler.ts
 * keeps it up, link/gossip.ts carries broadcasts where there are too many links to use them all.
 */

import type { Duplex } from "node:stream";
import type { Connection } from "@libp2p/interface";
import type { NodeId } from "../model/ids.ts";
import { OperationError } from "../model/problem.ts";
import type { Peer, Transport } from "../ports.ts";
import { guessAddresses } from "./addresses.ts";
import { Admission, type Classify } from "./admission.ts";
import { Connections } from "./connections.ts";
import { Counters, type Counts } from "./counters.ts";
import { dialFirst } from "./dial-first.ts";
import { DialSchedule } from "./dial-schedule.ts";
import { type Discovery, startDiscovery } from "./discovery.ts";
import { bidFarewell, endStays } from "./farewell.ts";
import { Gossip } from "./gossip.ts";
import { createNode, type Node } from "./libp2p-node.ts";
import { defaults, type LinkOptions } from "./link-options.ts";
import { startListening } from "./listening.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { Redialler } from "./redialler.ts";
import { openProtocol, orAborted, reasonOf, serveProtocol } from "./stream-protocols.ts";
import { type Guest, protocols, type Streams } from "./streams.ts";
import { Traffic } from "./traffic.ts";

export type { LinkOptions } from "./link-options.ts";

export interface Link extends Transport, Streams {
  /** Multiaddrs without the peer id, best first, at most eight. Loopback for want of others. */
  listenAddresses(): readonly string[];
  /** The host got another address, or lost one. Peers are told the new ones by whoever listens. */
  onAddressesChanged(listener: (addresses: readonly string[]) => void): void;
  /** People and invites that may connect; asked at each connection and each stream. */
  admitGuests(classify: Classify): void;
  /** What a removed node is told when it calls, as frames. Nothing until this was called. */
  onFarewell(frames: () => readonly Uint8Array[]): void;
  linked(): readonly NodeId[];
  counts(): Counts;
  close(): Promise<void>;
}

/** The pulse of everything that no event tells of, ms. */
const tendMs = 1_000;

/** Listens when it resolves. Rejects with an OperationError when it cannot. */
export async function openLink(options: LinkOptions): Promise<Link> {
  const { identity, secret, listen } = options;
  const counters = new Counters();
  const admission = new Admission();
  const nodesMax = options.nodesMax ?? defaults.nodesMax;
  const node = await createNode({ identity, secret, listen, admission, counters, nodesMax });
  const bound = await startListening(node, listen, identity.id as NodeId);
  const link = new Libp2pLink(options, node, new OwnAddresses(bound), admission, counters);
  await link.start();
  return link;
}

class Libp2pLink implements Link {
  readonly #options: LinkOptions;
  readonly #node: Node;
  readonly #own: OwnAddresses;
  readonly #admission: Admission;
  readonly #counters: Counters;
  readonly #schedule: DialSchedule;
  readonly #connections: Connections;
  readonly #redialler: Redialler;
  readonly #gossip: Gossip;
  readonly #traffic: Traffic;
  readonly #frameListeners = new Set<(from: NodeId, frame: Uint8Array) => void>();
  readonly #linkListeners = new Set<(node: NodeId, state: "up" | "down") => void>();
  #farewell: () => readonly Uint8Array[] = () => [];
  #discovery: Discovery | undefined;
  #pulse: NodeJS.Timeout | undefined;

  constructor(
    options: LinkOptions,
    node: Node,
    own: OwnAddresses,
    admission: Admission,
    counters: Counters,
  ) {
    this.#options = options;
    this.#node = node;
    this.#own = own;
    this.#admission = admission;
    this.#counters = counters;
    const frameBytesMax = options.frameBytesMax ?? defaults.frameBytesMax;
    const onFrame = (from: NodeId, frame: Uint8Array): void => this.#hear(from, frame);
    const self = options.identity.id as NodeId;
    this.#schedule = new DialSchedule(self, {
      below: (bound) => Math.floor(Math.random() * bound),
    });
    this.#connections = new Connections({
      self,
      counters,
      frameBytesMax,
      queueBytesMax: options.queueBytesMax ?? defaults.queueBytesMax,
      ownAddresses: () => own.current(),
      onFrame,
      onLink: (peer, state) => this.#linkChanged(peer, state),
      onHello: (peer, told, seen) => {
        for (const address of guessAddresses(seen, told)) this.#redialler.learn(peer, address);
      },
    });
    this.#redialler = new Redialler({
      schedule: this.#schedule,
      counters,
      dial: (peer, addresses, signal) =>
        dialFirst(node.insides.transportManager, peer, addresses, signal),
      greet: (peer, connection) => this.#connections.greet(peer, connection),
    });
    this.#gossip = new Gossip(node.insides, { admission, counters, frameBytesMax, onFrame });
    this.#traffic = new Traffic({
      connections: this.#connections,
      gossip: this.#gossip,
      counters,
      frameBytesMax,
      directLinksMax: options.directLinksMax ?? defaults.directLinksMax,
    });
  }

  async start(): Promise<void> {
    const { libp2p, insides } = this.#node;
    libp2p.addEventListener("connection:open", ({ detail }) => {
      const peer = detail.remotePeer.toString();
      if (this.#admission.isNode(peer)) this.#connections.add(peer, detail);
    });
    libp2p.addEventListener("connection:close", ({ detail }) => this.#connections.remove(detail));
    await libp2p.handle(protocols.frames, (stream, connection) => {
      const peer = connection.remotePeer.toString();
      if (this.#admission.isNode(peer)) return this.#connections.accept(peer, stream, connection);
      if (this.#admission.kindOf(peer) === "removed") {
        return bidFarewell(stream, this.#counters, () => this.#farewell());
      }
      this.#counters.add("streamsRefused");
      stream.abort(new Error("frames are for nodes"));
    });
    await this.#gossip.start();
    this.#own.onChanged(() => {
      this.#connections.prove();
      this.#redialler.newsOfNetwork();
    });
    this.#pulse = setInterval(() => this.#tend(), tendMs);
    const { mdns, secret, log } = this.#options;
    if (!mdns) return;
    const learn = (peer: NodeId, address: string): void => this.#redialler.learn(peer, address);
    try {
      this.#discovery = await startDiscovery(insides, secret, this.#admission, this.#own, learn);
    } catch (error) {
      // A host without multicast still has its static peers.
      log("mdns-unavailable", { detail: reasonOf(error) });
    }
  }

  #tend(): void {
    this.#connections.tend(performance.now());
    this.#traffic.tend();
    endStays(this.#node.libp2p.getConnections(), this.#admission, Date.now());
  }

  #hear(from: NodeId, frame: Uint8Array): void {
    for (const listener of this.#frameListeners) listener(from, frame);
  }

  #linkChanged(peer: NodeId, state: "up" | "down"): void {
    this.#options.log(`link-${state}`, { node: peer });
    if (state === "down") this.#gossip.disconnect(peer);
    this.#redialler.linkChanged(peer, state);
    for (const listener of this.#linkListeners) listener(peer, state);
  }

  // Transport: frames.

  send(to: NodeId, frame: Uint8Array): void {
    this.#traffic.send(to, frame);
  }

  broadcast(frame: Uint8Array): void {
    this.#traffic.broadcast(frame);
  }

  onFrame(listener: (from: NodeId, frame: Uint8Array) => void): void {
    this.#frameListeners.add(listener);
  }

  onLink(listener: (node: NodeId, state: "up" | "down") => void): void {
    this.#linkListeners.add(listener);
  }

  admit(nodes: ReadonlySet<NodeId>): void {
    this.#admission.admitNodes(nodes);
    this.#schedule.retain(nodes);
    this.#cutOff();
  }

  admitGuests(classify: Classify): void {
    this.#admission.admitGuests(classify);
    this.#cutOff();
  }

  /** Whoever may not be here any more; also who is here as something else than before. */
  #cutOff(): void {
    for (const connection of this.#node.libp2p.getConnections()) {
      const peer = connection.remotePeer.toString();
      const isGone = this.#admission.kindOf(peer) === undefined;
      const isDemoted = this.#connections.has(connection) && !this.#admission.isNode(peer);
      if (isGone || isDemoted) connection.abort(new Error("no longer admitted"));
    }
  }

  onFarewell(frames: () => readonly Uint8Array[]): void {
    this.#farewell = frames;
  }

  maintain(peers: readonly Peer[]): void {
    this.#redialler.maintain(peers);
  }

  abort(node: NodeId): void {
    this.#connections.abort(node, "given up for dead");
  }

  linked(): readonly NodeId[] {
    return this.#connections.linked();
  }

  // Streams.

  async open(to: string, protocol: string, signal?: AbortSignal): Promise<Duplex> {
    signal?.throwIfAborted();
    const connection = this.#connections.best(to as NodeId) ?? (await this.#reach(to, signal));
    return await openProtocol(connection, protocol, signal);
  }

  async #reach(to: string, signal?: AbortSignal): Promise<Connection> {
    const addresses = this.#schedule.addresses(to as NodeId);
    if (!this.#admission.isNode(to) || addresses.length === 0) {
      throw new OperationError({ code: "node-down", node: to });
    }
    try {
      return await orAborted(this.#redialler.reach(to), signal);
    } catch (error) {
      signal?.throwIfAborted();
      // The other side may have called while we did.
      const linked = this.#connections.best(to);
      if (linked !== undefined) return linked;
      const [address] = addresses as [string];
      const detail = reasonOf(error);
      throw new OperationError({ code: "peer-unreachable", address, detail }, { cause: error });
    }
  }

  serve(
    protocol: string,
    guests: readonly Guest[],
    accept: (stream: Duplex, from: string) => void,
  ): void {
    const { libp2p } = this.#node;
    const parts = { admission: this.#admission, counters: this.#counters };
    serveProtocol(libp2p, parts, protocol, guests, accept);
  }

  // What this host is and has.

  listenAddresses(): readonly string[] {
    return this.#own.current();
  }

  onAddressesChanged(listener: (addresses: readonly string[]) => void): void {
    this.#own.onChanged(listener);
  }

  counts(): Counts {
    const connections = this.#node.libp2p.getConnections().length;
    return this.#counters.read({ connections, gossipStreams: this.#gossip.streams() });
  }

  /** Streams are reset, not ended: what was cut off must not pass for whole. */
  async close(): Promise<void> {
    clearInterval(this.#pulse);
    this.#own.close();
    await this.#redialler.close();
    await this.#discovery?.stop();
    await this.#gossip.stop();
    const { libp2p } = this.#node;
    for (const connection of libp2p.getConnections()) connection.abort(new Error("closing"));
    await libp2p.stop();
  }
}
