/**
 * A node to be probed, as a process of its own: `probed-process.ts SEED SECRET`, in hex. Says its
 * port on the channel to its parent; blocks its main loop for as many ms as it is sent.
 */

import { openProbes } from "../../link/prober.ts";
import { identityFromSeed } from "../../trust/identity.ts";

const [seed, secret] = process.argv.slice(2) as [string, string];
const prober = await openProbes({
  secret: Buffer.from(secret, "hex"),
  identity: identityFromSeed(Buffer.from(seed, "hex")),
  bind: { address: "127.0.0.1", port: 0 },
});
setInterval(() => prober.beat(), 100);
process.on("message", (blockMs: number) => {
  // Waits without using the processor, and without letting the loop turn.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
});
process.on("disconnect", () => process.exit());
process.send?.(prober.port);
