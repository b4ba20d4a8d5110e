/** What every task finds in its environment about itself, whichever engine runs it. Pure. */

import { splitReplicaId } from "../model/ids.ts";
import type { StartOrder } from "../ports.ts";

export type Environment = Readonly<Record<string, string>>;

export function ownEnvironment(order: StartOrder): Environment {
  return {
    SHOAL_MESH: order.mesh,
    SHOAL_NODE: order.nodeName,
    SHOAL_SERVICE: splitReplicaId(order.replica).service,
    SHOAL_REPLICA: order.replica,
    SHOAL_SLOT: order.slot,
    SHOAL_TASK: order.task,
  };
}
