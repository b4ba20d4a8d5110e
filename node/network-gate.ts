/**
 * Keeps containers from starting before this node has claimed a subnet: started too early they would
 * live on Docker's own network, without the mesh's names. An order that is dropped here is given
 * again soon, by then with the network in it. Pure.
 */

import type { Engine } from "../ports.ts";

/** `isWaiting` ends some time after the start, whether there is a network by then or not. */
export function awaitNetwork(engine: Engine, isWaiting: () => boolean): Engine {
  return {
    kind: engine.kind,
    start: (order) => {
      if (order.subnet !== "" || !isWaiting()) engine.start(order);
    },
    stop: (order) => engine.stop(order),
    remove: (task) => engine.remove(task),
    onReport: (listener) => engine.onReport(listener),
    open: (identity) => engine.open(identity),
    close: () => engine.close(),
  };
}
