/** What was dropped, refused or taken another way, counted: what peers send is never thrown. */

export type Count =
  /** Records that are no frames: empty, too long, or no hello where one is due. */
  | "framesInvalid"
  /** Thrown away because a peer reads too slowly. */
  | "framesDropped"
  /** Sent to nobody, since there was no link. */
  | "framesUnlinked"
  | "framesTooLong"
  | "broadcastsDirect"
  | "broadcastsGossiped"
  /** By gossip, and directly to those that it did not reach yet. */
  | "broadcastsMixed"
  /** Gossip refused by the validator: too long, or relayed by no node. */
  | "gossipRefused"
  | "keysRefused"
  /** Streams of a protocol that is not for that kind of guest. */
  | "streamsRefused"
  /** Removed nodes that were told so. */
  | "farewells"
  | "dials"
  | "dialsFailed";

/** How many there are just now. */
export type Gauges = {
  /** To nodes and to guests. */
  readonly connections: number;
  /** Nodes with which a gossip stream is open. */
  readonly gossipStreams: number;
};

export type Counts = Readonly<Record<Count, number>> & Gauges;

export class Counters {
  readonly #counts: Record<Count, number> = {
    framesInvalid: 0,
    framesDropped: 0,
    framesUnlinked: 0,
    framesTooLong: 0,
    broadcastsDirect: 0,
    broadcastsGossiped: 0,
    broadcastsMixed: 0,
    gossipRefused: 0,
    keysRefused: 0,
    streamsRefused: 0,
    farewells: 0,
    dials: 0,
    dialsFailed: 0,
  };

  add(count: Count, by = 1): void {
    this.#counts[count] += by;
  }

  read(gauges: Gauges): Counts {
    return { ...this.#counts, ...gauges };
  }
}
