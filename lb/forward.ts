/**
 * The receiving side of forwarded connections: joins a peer's stream to a task of this node. A
 * door.
 *
 * A peer names a task and a port, never an address: it reaches endpoints of this node that are in
 * the table now, and nothing else. Draining ones are served, as the peer's table may be older.
 */

import type { Duplex } from "node:stream";
import type { TaskId } from "../model/ids.ts";
import type { Endpoint } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import { serveDatagrams } from "./datagram-link.ts";
import type { Answer } from "./forward-header.ts";
import { answer, readHeader } from "./introduction.ts";
import { join } from "./join.ts";
import { type Means, reset } from "./means.ts";
import { connect } from "./tcp.ts";

export class ForwardDoor {
  readonly #means: Means;
  readonly #byPeer = new Map<string, number>();
  #endpoints: ReadonlyMap<TaskId, Endpoint> = new Map();

  constructor(means: Means) {
    this.#means = means;
  }

  /** Level: the endpoints of this node. */
  install(endpoints: ReadonlyMap<TaskId, Endpoint>): void {
    this.#endpoints = endpoints;
  }

  /** Takes a stream from a peer, whatever comes in it. */
  accept(stream: Duplex, from: string, protocol: "tcp" | "udp"): void {
    const { counters, config } = this.#means;
    this.#means.hold(stream);
    const ofPeer = this.#byPeer.get(from) ?? 0;
    if (counters.forwardsNow >= config.acceptedMax || ofPeer >= config.acceptedOfPeerMax) {
      this.#refuse(stream, "overloaded");
      return;
    }
    if (stream.destroyed) return;
    counters.forwardsNow++;
    this.#byPeer.set(from, ofPeer + 1);
    stream.once("close", () => this.#leave(from));
    this.#introduce(stream, protocol).catch(() => {
      // Silence, an early end, or a task that does not answer: the peer tries elsewhere.
      this.#refuse(stream, "refused");
    });
  }

  #leave(from: string): void {
    this.#means.counters.forwardsNow--;
    const left = (this.#byPeer.get(from) as number) - 1;
    if (left > 0) this.#byPeer.set(from, left);
    else this.#byPeer.delete(from);
  }

  async #introduce(stream: Duplex, protocol: "tcp" | "udp"): Promise<void> {
    const header = await readHeader(this.#means, stream);
    if (header === undefined || !header.port.endsWith(protocol)) {
      return this.#refuse(stream, "malformed");
    }
    const endpoint = this.#endpoints.get(header.task);
    if (endpoint?.ports[header.port] === undefined) return this.#refuse(stream, "unknown");
    if (protocol === "udp") return this.#passDatagrams(stream, endpoint, header.port);
    await this.#passBytes(stream, endpoint, header.port);
  }

  async #passBytes(stream: Duplex, endpoint: Endpoint, port: PortKey): Promise<void> {
    const socket = await connect(this.#means, endpoint, port, this.#means.config.connectMs);
    if (stream.destroyed) return reset(socket);
    this.#means.counters.forwards++;
    answer(stream, "accepted");
    await join(stream, socket);
  }

  #passDatagrams(stream: Duplex, endpoint: Endpoint, port: PortKey): void {
    serveDatagrams(this.#means, stream, endpoint, port, () => {
      this.#means.counters.forwards++;
      answer(stream, "accepted");
    });
  }

  #refuse(stream: Duplex, reason: Exclude<Answer, "accepted">): void {
    const { counters, config } = this.#means;
    counters.forwardsRefused++;
    if (stream.destroyed) return;
    // The peer may not care to read the answer.
    stream.once(
      "close",
      this.#means.limit(config.headerMs, () => stream.destroy()),
    );
    answer(stream, reason);
  }
}
