/**
 * Byte streams between peers, as everything above link/ sees them: plain Node duplexes with
 * back-pressure, half-close and reset, and an id that noise has proven. Nothing here knows libp2p.
 */

import type { Duplex } from "node:stream";

/**
 * What a connection's key is to this node, by its trust log. It decides which protocols it gets.
 */
export type Guest =
  | "node"
  | "person"
  | "invite"
  /** Was a node. It gets nothing but to hear so: link/farewell.ts. */
  | "removed";

export interface Streams {
  /**
   * Opens a stream to a peer that is linked or whose addresses are known. Rejects with an
   * OperationError (`peer-unreachable`, `node-down`) when there is no way, or as the signal says.
   */
  open(to: string, protocol: string, signal?: AbortSignal): Promise<Duplex>;
  /** Serves a protocol to those kinds of guests. `from` is the peer id of the other side. */
  serve(
    protocol: string,
    guests: readonly Guest[],
    accept: (stream: Duplex, from: string) => void,
  ): void;
}

/** One protocol a purpose; the number changes when what is said changes. */
export const protocols = {
  /** Frames between agents: gossip/frames.ts, each with its length before it. */
  frames: "/shoal/frames/1",
  /** One request for admission, one answer: trust/invite.ts. */
  join: "/shoal/join/1",
  /** One HTTP/1.1 connection of the API. */
  api: "/shoal/api/1",
  /** One forwarded TCP connection: a header that names the task and its port, then bytes. */
  forward: "/shoal/forward/1",
  /** Datagrams of one client, forwarded: the same header, then datagrams with lengths. */
  datagrams: "/shoal/datagrams/1",
  /** Questions of eight bytes, each sent back as it came: link/probe-streams.ts. */
  probe: "/shoal/probe/1",
} as const;
