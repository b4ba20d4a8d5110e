/** A bare libp2p with a key of our choice, to say what no honest node says. */

import type { TestContext } from "node:test";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { writeHello } from "../../link/hello.ts";
import { packRecord } from "../../link/records.ts";
import { secureTransport } from "../../link/secure-transport.ts";
import { protocols } from "../../link/streams.ts";
import type { Identity } from "../../trust/identity.ts";
import { fullAddress, meshSecret, type TestNode } from "./links.ts";

export type Raw = { readonly libp2p: Libp2p; readonly connection: Connection };

export async function dialRaw(
  t: TestContext,
  identity: Identity,
  to: TestNode,
  secret = meshSecret,
): Promise<Raw> {
  const libp2p = await createLibp2p({
    ...secureTransport(identity, secret),
    connectionMonitor: { enabled: false },
  });
  t.after(async () => {
    // Its own way of stopping waits for goodbyes that nobody says.
    for (const connection of libp2p.getConnections()) connection.abort(new Error("over"));
    await libp2p.stop();
  });
  return { libp2p, connection: await libp2p.dial(multiaddr(fullAddress(to))) };
}

/** Its frames stream, hello said, so that it counts as linked. */
export async function openFrames({ connection }: Raw): Promise<Stream> {
  const stream = await connection.newStream(protocols.frames);
  stream.send(packRecord(writeHello({ listen: [], alone: true })));
  return stream;
}
