/**
 * An agent reduced to its process engine, for tests that kill it: starts one task and says so.
 *
 *   node agent-of-test.ts DIRECTORY ORDER_AS_JSON
 */

import { openProcessEngine } from "../../engine/process/process-engine.ts";
import type { StartOrder } from "../../ports.ts";

const [directory, text] = process.argv.slice(2) as [string, string];
const order = JSON.parse(text) as StartOrder;
const engine = openProcessEngine({ directory, nodeName: "first" });
engine.onReport((report) => {
  if (report.kind === "observed" && report.tasks.some(({ ready }) => ready)) console.log("ready");
});
engine.open({ mesh: order.mesh, node: order.node });
engine.start(order);
