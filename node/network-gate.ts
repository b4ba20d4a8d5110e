/**
 * Keeps containers from starting before this node has claimed a subnet: started too early they
 * would live on Docker's own network, without the mesh's names. An order that is dropped here is
 * given again soon, by then with the network in it. Pure.
 */

import type { Clock, Engine } from "../ports.ts";

/** So long from now on, ms; a claim is made as soon as a peer was heard. */
const waitMsMax = 10_000;

/** Processes need no network of their own, and pass. */
export function awaitNetwork(engine: Engine, clock: Pick<Clock, "monotonicMs">): Engine {
  if (engine.kind !== "docker") return engine;
  const untilMs = clock.monotonicMs() + waitMsMax;
  return {
    kind: engine.kind,
    start: (order) => {
      if (order.subnet !== "" || clock.monotonicMs() >= untilMs) engine.start(order);
    },
    stop: (order) => engine.stop(order),
    remove: (task) => engine.remove(task),
    onReport: (listener) => engine.onReport(listener),
    open: (identity) => engine.open(identity),
    close: () => engine.close(),
  };
}
