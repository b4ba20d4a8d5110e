/** How much the API's clients may cost an agent. */

export type Limits = {
  /** Over the socket, and as many again over links. A follower of logs or events has one each. */
  readonly connectionsMax: number;
  /** A node that passes on what others follow needs some dozens. */
  readonly connectionsOfPeerMax: number;
  /** Pipelined requests that wait for their turn. */
  readonly requestsOfConnectionMax: number;
  /** Method, path and headers together. A session's body is among them. */
  readonly headBytesMax: number;
  /** All bodies that are being read or answered. */
  readonly bodiesBytesMax: number;
  /** From the connection to the end of a request's head, ms. */
  readonly headMsMax: number;
  /** From the connection to the end of a request's body, ms. */
  readonly requestMsMax: number;
  /** Between two requests of one connection, ms. */
  readonly idleMsMax: number;
  /** How often a silent stream says that it lives, ms: a write is how a dead client is noticed. */
  readonly heartbeatMs: number;
  /** For answers under way when the agent stops, ms. */
  readonly closeMs: number;
};

export const limitsOfServer: Limits = {
  connectionsMax: 512,
  connectionsOfPeerMax: 128,
  requestsOfConnectionMax: 8,
  headBytesMax: 64 * 1024,
  bodiesBytesMax: 64 * 1024 * 1024,
  headMsMax: 10_000,
  requestMsMax: 60_000,
  idleMsMax: 5_000,
  heartbeatMs: 15_000,
  closeMs: 1_000,
};
