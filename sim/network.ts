/**
 * The simulated network: frames over links, and datagrams. Loss, repeats, delay (hence reorder),
 * one-way cuts, partitions. A link is what libp2p gives: up after both sides admit each other,
 * down at once when the process at the other end dies, silent when the cable is cut.
 */

import type { NodeId } from "../model/ids.ts";
import type { Peer, Transport } from "../ports.ts";
import type { SeededRandom } from "./random.ts";
import type { World } from "./world.ts";

export type NetworkFaults = {
  /** Percent of frames and datagrams that vanish, and that arrive twice. */
  lossPercent: number;
  repeatPercent: number;
  /** One way, ms. */
  delayMinMs: number;
  delayMaxMs: number;
};

type Port = {
  frame: (from: NodeId, frame: Uint8Array) => void;
  link: (node: NodeId, state: "up" | "down") => void;
  datagram: (from: NodeId, bytes: Uint8Array) => void;
  admitted: ReadonlySet<NodeId>;
  wanted: readonly Peer[];
  up: boolean;
};

/** How often missing links are dialled again, ms. */
const redialMs = 500;
/** A reset travels as fast as a packet; a process's death is known about this fast, ms. */
const resetMs = 10;

export class Network {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #ports = new Map<NodeId, Port>();
  /** Both ways. */
  readonly #links = new Relation();
  /** Who still believes in a connection whose far end is gone. */
  readonly #halfOpen = new Relation();
  /** Directed, each with how many faults cut it. */
  readonly #cuts = new Map<NodeId, Map<NodeId, number>>();
  faults: NetworkFaults = { lossPercent: 0, repeatPercent: 0, delayMinMs: 1, delayMaxMs: 3 };
  frames = 0;
  bytes = 0;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#redial();
  }

  /** The transport of a node that is just starting. Its former links are gone. */
  attach(node: NodeId): Transport & { onDatagram(listener: Port["datagram"]): void } {
    const port: Port = {
      frame: () => {},
      link: () => {},
      datagram: () => {},
      admitted: new Set(),
      wanted: [],
      up: true,
    };
    this.#ports.set(node, port);
    return {
      send: (to, frame) => this.#send(node, to, frame),
      broadcast: (frame) => {
        for (const to of this.#linkedTo(node)) this.#send(node, to, frame);
      },
      onFrame: (listener) => {
        port.frame = listener;
      },
      onLink: (listener) => {
        port.link = listener;
      },
      onDatagram: (listener) => {
        port.datagram = listener;
      },
      admit: (nodes) => {
        port.admitted = nodes;
        this.#enforce(node);
      },
      maintain: (peers) => {
        port.wanted = peers;
        this.#world.after(1, () => this.#dial(node));
      },
      abort: (other) => this.#unlink(node, other, 0),
    };
  }

  /** `reset`: the process died and its kernel says so. Otherwise the power is gone: silence. */
  detach(node: NodeId, how: "reset" | "silent"): void {
    const port = this.#ports.get(node);
    if (port === undefined) return;
    port.up = false;
    for (const other of [...this.#linkedTo(node)]) {
      this.#unjoin(node, other);
      if (how === "reset") this.#tell(other, node, "down", resetMs);
      else this.#halfOpen.add(other, node);
    }
    this.#ports.delete(node);
  }

  /** Nothing gets through from one to the other until the answer is called. */
  cut(from: NodeId, to: NodeId): () => void {
    const cuts = this.#cuts.get(from) ?? new Map<NodeId, number>();
    this.#cuts.set(from, cuts);
    cuts.set(to, (cuts.get(to) ?? 0) + 1);
    let cut = true;
    return () => {
      if (cut) cuts.set(to, (cuts.get(to) ?? 1) - 1);
      cut = false;
    };
  }

  datagram(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    this.#carry(from, to, () => this.#ports.get(to)?.datagram(from, bytes));
  }

  #send(from: NodeId, to: NodeId, frame: Uint8Array): void {
    if (!this.#links.has(from, to)) return;
    this.frames++;
    this.bytes += frame.length;
    this.#carry(from, to, () => {
      if (this.#links.has(from, to)) this.#ports.get(to)?.frame(from, frame);
    });
  }

  #carry(from: NodeId, to: NodeId, deliver: () => void): void {
    const { lossPercent, repeatPercent, delayMinMs, delayMaxMs } = this.faults;
    const copies = this.#random.chance(repeatPercent) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.#random.between(delayMinMs, delayMaxMs);
      if (this.#random.chance(lossPercent) || this.#isCut(from, to)) continue;
      this.#world.after(delayMs, deliver);
    }
  }

  #redial(): void {
    this.#world.after(redialMs, () => {
      for (const node of [...this.#ports.keys()]) this.#dial(node);
      this.#redial();
    });
  }

  #dial(node: NodeId): void {
    const port = this.#ports.get(node);
    for (const { node: other } of port?.wanted ?? []) {
      const target = this.#ports.get(other);
      if (port === undefined || target === undefined || this.#links.has(node, other)) continue;
      if (!port.admitted.has(other) || !target.admitted.has(node)) continue;
      if (this.#isCut(node, other) || this.#isCut(other, node)) continue;
      this.#links.add(node, other);
      this.#links.add(other, node);
      this.#halfOpen.delete(node, other);
      this.#halfOpen.delete(other, node);
      this.#tell(node, other, "up", 2);
      this.#tell(other, node, "up", 3);
    }
  }

  /** Connections to a node that may no longer connect are ended by the one who says so. */
  #enforce(node: NodeId): void {
    const admitted = this.#ports.get(node)?.admitted ?? new Set();
    for (const other of [...this.#linkedTo(node)]) {
      if (!admitted.has(other)) this.#unlink(node, other, 1);
    }
  }

  #unlink(node: NodeId, other: NodeId, delayMs: number): void {
    const wasOpen = this.#unjoin(node, other);
    const wasHalf = this.#halfOpen.delete(node, other);
    if (wasOpen || wasHalf) this.#tell(node, other, "down", delayMs);
    if (wasOpen && !this.#isCut(node, other)) this.#tell(other, node, "down", resetMs);
    else if (wasOpen) this.#halfOpen.add(other, node);
  }

  #unjoin(node: NodeId, other: NodeId): boolean {
    this.#links.delete(other, node);
    return this.#links.delete(node, other);
  }

  /** Something does not get through to it, or from it. */
  isCutOff(node: NodeId): boolean {
    for (const [from, cuts] of this.#cuts) {
      for (const [to, count] of cuts) if (count > 0 && (from === node || to === node)) return true;
    }
    return false;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return (this.#cuts.get(from)?.get(to) ?? 0) > 0;
  }

  #tell(node: NodeId, about: NodeId, state: "up" | "down", delayMs: number): void {
    const port = this.#ports.get(node);
    this.#world.after(delayMs, () => {
      if (this.#ports.get(node) === port) port?.link(about, state);
    });
  }

  #linkedTo(node: NodeId): ReadonlySet<NodeId> {
    return this.#links.of(node);
  }
}

/** Directed pairs of nodes. */
class Relation {
  readonly #pairs = new Map<NodeId, Set<NodeId>>();

  of(from: NodeId): ReadonlySet<NodeId> {
    return this.#pairs.get(from) ?? new Set();
  }

  has(from: NodeId, to: NodeId): boolean {
    return this.#pairs.get(from)?.has(to) ?? false;
  }

  add(from: NodeId, to: NodeId): void {
    const known = this.#pairs.get(from);
    if (known === undefined) this.#pairs.set(from, new Set([to]));
    else known.add(to);
  }

  delete(from: NodeId, to: NodeId): boolean {
    return this.#pairs.get(from)?.delete(to) ?? false;
  }
}
