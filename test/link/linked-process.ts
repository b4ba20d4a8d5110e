/**
 * A linked node to be probed, as a process of its own that can be frozen or killed:
 * `linked-process.ts SEED SECRET PEER`, the first two in hex. Says its addresses and its UDP port
 * on the channel to its parent.
 */

import { openLink } from "../../link/link.ts";
import { openMeshProbes } from "../../link/mesh-probes.ts";
import type { NodeId } from "../../model/ids.ts";
import { realClock } from "../../node/real-world.ts";
import { identityFromSeed } from "../../trust/identity.ts";

const [seed, key, peer] = process.argv.slice(2) as [string, string, NodeId];
const identity = identityFromSeed(Buffer.from(seed, "hex"));
const secret = Buffer.from(key, "hex");
const listen = ["/ip4/127.0.0.1/tcp/0"];
const link = await openLink({ identity, secret, listen, mdns: false, log: () => {} });
const bind = { address: "127.0.0.1", port: 0 };
const self = identity.id as NodeId;
const probes = await openMeshProbes({ secret, identity, bind, link, clock: realClock });
link.admit(new Set([self, peer]));
setInterval(() => probes.beat(), 100);
process.on("disconnect", () => process.exit());
process.send?.({ addresses: link.listenAddresses(), port: probes.port });
