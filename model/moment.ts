/** Time and chance as they reach a state machine: with the event, never by asking for them. */

export type Moment = {
  /** Since an arbitrary start. Never goes back. For measuring. */
  readonly monotonicMs: number;
  /** Unix milliseconds. May jump either way. For stamping writes, nothing else. */
  readonly wallMs: number;
  /** A uniform 32-bit integer, fresh with every event. */
  readonly dice: number;
};
