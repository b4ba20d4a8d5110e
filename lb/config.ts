/** Settings of published ports. Each field says meaning, unit and how to choose. */

export type ForwardConfig = {
  /**
   * Endpoints tried for one connection before its client is reset. Many: those of a node that was
   * just lost refuse at once, one after the other, and what takes long is bounded by `deadlineMs`.
   */
  readonly triesMax: number;
  /** For one endpoint to take a connection, ms: a LAN's worst, and less than `deadlineMs`. */
  readonly connectMs: number;
  /** From accept to a connection with some endpoint, ms: what a person still waits for. */
  readonly deadlineMs: number;
  /** How long a client is held when there is no endpoint (left), ms: a quick restart's time. */
  readonly holdMs: number;
  /** Clients held at once; more are reset at once. */
  readonly heldMax: number;
  /** An endpoint that hangs up within this, ms, and without a byte, has failed. */
  readonly hangUpMs: number;
  /** Ports that could not be listened on are tried again after this, ms. */
  readonly portRetryMs: number;
  /** For a peer to send its header, ms. */
  readonly headerMs: number;
  /** Forward streams from peers at once; more are refused. Each has a file descriptor. */
  readonly acceptedMax: number;
  /** Of one peer: less than `acceptedMax`, so that one alone cannot shut out the others. */
  readonly acceptedOfPeerMax: number;
  /** A client that has sent and got no datagram for this long is forgotten, ms. */
  readonly flowIdleMs: number;
  /** Flows of one UDP port; one more pushes out the longest idle one. Each has a descriptor. */
  readonly flowsMax: number;
  /** Datagrams kept of a flow until its endpoint answers, to be sent again to another one. */
  readonly keptMax: number;
  /** Bytes kept so by all flows of one port. */
  readonly keptBytesMax: number;
  /** Bytes waiting to be sent; above it datagrams are dropped, as a network would. */
  readonly backlogBytesMax: number;
};

export const forwardDefaults: ForwardConfig = {
  triesMax: 8,
  connectMs: 2_000,
  deadlineMs: 5_000,
  holdMs: 2_000,
  heldMax: 1_024,
  hangUpMs: 1_000,
  portRetryMs: 1_000,
  headerMs: 5_000,
  acceptedMax: 16_384,
  acceptedOfPeerMax: 8_192,
  flowIdleMs: 60_000,
  flowsMax: 4_096,
  keptMax: 16,
  keptBytesMax: 8_388_608,
  backlogBytesMax: 262_144,
};
