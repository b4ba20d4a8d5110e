/**
 * Connections to nodes, and the frames that pass on them. A connection counts once both sides have
 * said hello on its frames stream; a link is up while one counts. A door.
 *
 * Who dialled opens the frames stream, says hello first, and opens it anew when it breaks. Two
 * nodes that dial each other at once end up with two connections: both work, and the one that the
 * higher key dialled is retired once nothing but frames is on it. Only the higher key does so, so
 * that the two never each close the other's. Whoever calls and says that it is alone has lost what
 * it had: what we still hold of that is dead, though TCP may not know for a quarter of an hour. Of
 * two calls that cross, at most one side can take the other's words so: to be heard after our own
 * call was answered, its hello must have been sent before it heard ours.
 */

import type { Connection, Stream } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { compareIds, type NodeId } from "../model/ids.ts";
import type { Counters } from "./counters.ts";
import { FrameChannel } from "./frame-channel.ts";
import { type Hello, helloBytesMax, readHello, writeHello } from "./hello.ts";
import { packRecord } from "./records.ts";
import { protocols } from "./streams.ts";

export type ConnectionsOptions = {
  readonly self: NodeId;
  readonly counters: Counters;
  readonly frameBytesMax: number;
  readonly queueBytesMax: number;
  /** What we tell others when we say hello. */
  ownAddresses(): readonly string[];
  onFrame(from: NodeId, frame: Uint8Array): void;
  onLink(node: NodeId, state: "up" | "down"): void;
  /** Another node's hello: where it listens, and where it was seen. */
  onHello(node: NodeId, told: readonly string[], seen: Multiaddr): void;
};

/** A peer that was let in and says nothing for this long is not one, ms. */
const helloMsMax = 5_000;
/** So long do both connections of a double dial stay, that neither side sees its link drop, ms. */
const settlingMs = 1_000;
/** What the other side has lost goes after this, ms, so that our hello on the new one is first. */
const lostMs = 100;
/** For one round trip on a connection under suspicion, ms. */
const proofMsMax = 1_000;
const pingProtocol = "/ipfs/ping/1.0.0";
/** Not what forwards, calls and answers are made of. */
const ownStreams: readonly string[] = [protocols.frames, protocols.probe, pingProtocol];

type Entry = {
  readonly node: NodeId;
  readonly connection: Connection;
  readonly sinceMs: number;
  upAtMs: number | undefined;
  channel: FrameChannel | undefined;
  isGreeting: boolean;
  isOnTrial: boolean;
  /** The other side says that it no longer has it. */
  isLost: boolean;
};

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #entries = new Map<Connection, Entry>();
  readonly #byNode = new Map<NodeId, Entry[]>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  add(node: NodeId, connection: Connection): void {
    if (connection.status === "open") this.#entryOf(node, connection);
  }

  remove(connection: Connection): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return;
    const { node } = entry;
    const wasLinked = this.isLinked(node);
    this.#entries.delete(connection);
    const rest = this.#of(node).filter((one) => one !== entry);
    if (rest.length === 0) this.#byNode.delete(node);
    else this.#byNode.set(node, rest);
    if (wasLinked && !this.isLinked(node)) this.#options.onLink(node, "down");
  }

  /** Whether this one is a node's. */
  has(connection: Connection): boolean {
    return this.#entries.has(connection);
  }

  isLinked(node: NodeId): boolean {
    return this.#of(node).some(({ upAtMs }) => upAtMs !== undefined);
  }

  linked(): NodeId[] {
    return [...this.#byNode.keys()].filter((node) => this.isLinked(node));
  }

  /** The connection for new streams; undefined without a link. */
  best(node: NodeId): Connection | undefined {
    return this.#ranked(node)[0]?.connection;
  }

  /** `packed` as `packRecord` made it. Best effort. */
  send(node: NodeId, packed: Uint8Array): void {
    const channel = this.#ranked(node).find((entry) => entry.channel?.isOpen === true)?.channel;
    if (channel === undefined) this.#options.counters.add("framesUnlinked");
    else channel.send(packed);
  }

  /** Of a peer's connections, for tests and metrics: what waits because it reads slowly. */
  queuedBytes(node: NodeId): number {
    return this.#of(node).reduce((sum, { channel }) => sum + (channel?.queuedBytes ?? 0), 0);
  }

  abort(node: NodeId, reason: string): void {
    for (const { connection } of this.#of(node)) connection.abort(new Error(reason));
  }

  /** The dialler's side. Resolves when the other side's hello is here, rejects when none comes. */
  async greet(node: NodeId, connection: Connection): Promise<void> {
    const entry = this.#entryOf(node, connection);
    if (entry.isGreeting || entry.channel?.isOpen === true) return;
    entry.isGreeting = true;
    const signal = AbortSignal.timeout(helloMsMax);
    try {
      const stream = await connection.newStream(protocols.frames, { signal });
      await new Promise<void>((resolve, reject) => {
        const refuse = (): void => reject(new Error("no hello"));
        signal.addEventListener("abort", refuse);
        const channel = this.#openChannel(entry, stream, () => resolve(), refuse);
        channel.send(this.#hello(entry));
      });
    } catch (error) {
      if (entry.upAtMs === undefined) connection.abort(new Error("no hello came"));
      throw error;
    } finally {
      entry.isGreeting = false;
    }
  }

  /** The other side's frames stream; a newer one on the same connection replaces the older. */
  accept(node: NodeId, stream: Stream, connection: Connection): void {
    const entry = this.#entryOf(node, connection);
    const channel = this.#openChannel(entry, stream, (hello) => {
      channel.send(this.#hello(entry));
      if (hello.alone) this.#leaveOnly(entry);
    });
  }

  /** Our own address is gone, say: one round trip proves a connection, silence ends it. */
  prove(): void {
    for (const entry of this.#entries.values()) void this.#prove(entry);
  }

  /** About once a second: what events alone would miss. */
  tend(nowMs: number): void {
    for (const entry of [...this.#entries.values()]) {
      const { node, connection, channel, sinceMs, upAtMs } = entry;
      if (upAtMs === undefined) {
        if (nowMs - sinceMs > helloMsMax) connection.abort(new Error("it never said hello"));
      } else if (this.#isRetired(entry, nowMs)) {
        connection.abort(new Error("one connection is enough"));
      } else if (channel?.isOpen !== true && connection.direction === "outbound") {
        // A failure shows in the next round, or when the connection goes.
        this.greet(node, connection).catch(() => {});
      }
    }
  }

  async #prove(entry: Entry): Promise<void> {
    if (entry.isOnTrial) return;
    entry.isOnTrial = true;
    const { connection } = entry;
    const signal = AbortSignal.timeout(proofMsMax);
    try {
      const stream = await connection.newStream(pingProtocol, { signal });
      stream.abort(new Error("an answer is all that was wanted"));
    } catch {
      // Whatever else went wrong, it was an answer.
      if (signal.aborted) connection.abort(new Error("it does not answer"));
    } finally {
      entry.isOnTrial = false;
    }
  }

  #leaveOnly(kept: Entry): void {
    const lost = this.#of(kept.node).filter((one) => one !== kept && one.upAtMs !== undefined);
    for (const entry of lost) {
      entry.isLost = true;
      const reason = new Error("the other side has lost it");
      setTimeout(() => entry.connection.abort(reason), lostMs).unref();
    }
  }

  #hello(entry: Entry): Uint8Array {
    const others = this.#of(entry.node).filter((one) => one !== entry && !one.isLost);
    const alone = others.every(({ upAtMs }) => upAtMs === undefined);
    return packRecord(writeHello({ listen: this.#options.ownAddresses(), alone }));
  }

  #openChannel(
    entry: Entry,
    stream: Stream,
    onUp: (hello: Hello) => void,
    onClosed: () => void = () => {},
  ): FrameChannel {
    const { counters, frameBytesMax, queueBytesMax } = this.#options;
    let isGreeted = false;
    entry.channel?.abort("a newer stream replaces it");
    const channel = new FrameChannel(stream, {
      recordBytesMax: Math.max(frameBytesMax, helloBytesMax),
      queueBytesMax,
      onRecord: (record) => {
        if (isGreeted) return this.#options.onFrame(entry.node, record);
        const hello = this.#takeHello(entry, record);
        isGreeted = hello !== undefined;
        if (hello === undefined) channel.abort("no hello");
        else this.#countIn(entry, () => onUp(hello));
      },
      onInvalid: () => counters.add("framesInvalid"),
      onDropped: (records) => counters.add("framesDropped", records),
      onClosed,
    });
    entry.channel = channel;
    return channel;
  }

  #takeHello({ node, connection }: Entry, record: Uint8Array): Hello | undefined {
    const hello = readHello(record);
    if (hello === undefined) this.#options.counters.add("framesInvalid");
    else this.#options.onHello(node, hello.listen, connection.remoteAddr);
    return hello;
  }

  /** Our own hello goes out before anybody hears of the link, so that frames come after it. */
  #countIn(entry: Entry, onUp: () => void): void {
    const wasLinked = this.isLinked(entry.node);
    entry.upAtMs ??= performance.now();
    onUp();
    if (!wasLinked && this.isLinked(entry.node)) this.#options.onLink(entry.node, "up");
  }

  #isRetired(entry: Entry, nowMs: number): boolean {
    if (!this.#isSpare(entry)) return false;
    const others = this.#of(entry.node).filter(
      (one) => one !== entry && !this.#isSpare(one) && !one.isLost,
    );
    const isSettled = others.some(({ upAtMs }) => nowMs - (upAtMs ?? nowMs) > settlingMs);
    return isSettled && entry.connection.streams.every(({ protocol }) => isOwn(protocol));
  }

  /** The one that goes, of two: dialled by us, and ours is the higher key. */
  #isSpare({ node, connection }: Entry): boolean {
    return connection.direction === "outbound" && compareIds(this.#options.self, node) > 0;
  }

  /** Those that count, the one for new streams first. */
  #ranked(node: NodeId): Entry[] {
    return this.#of(node)
      .filter(({ upAtMs }) => upAtMs !== undefined)
      .sort(
        (left, right) =>
          Number(left.isLost) - Number(right.isLost) ||
          Number(this.#isSpare(left)) - Number(this.#isSpare(right)) ||
          (right.upAtMs ?? 0) - (left.upAtMs ?? 0),
      );
  }

  #of(node: NodeId): readonly Entry[] {
    return this.#byNode.get(node) ?? [];
  }

  #entryOf(node: NodeId, connection: Connection): Entry {
    const known = this.#entries.get(connection);
    if (known !== undefined) return known;
    const state = { upAtMs: undefined, channel: undefined };
    const flags = { isGreeting: false, isOnTrial: false, isLost: false };
    const entry: Entry = { node, connection, sinceMs: performance.now(), ...state, ...flags };
    this.#entries.set(connection, entry);
    this.#byNode.set(node, [...this.#of(node), entry]);
    return entry;
  }
}

function isOwn(protocol: string): boolean {
  return ownStreams.includes(protocol) || protocol.startsWith("/meshsub/");
}
