/** Addresses of members that are known before their own documents have arrived. Pure. */

import type { Peer, Transport } from "../ports.ts";

/** Where members were last is tried as well, until their own documents have arrived. */
export function withHints(link: Transport, hints: readonly Peer[]): Transport {
  const known = new Map(hints.map(({ node, addresses }) => [node, addresses]));
  return {
    send: (to, frame) => link.send(to, frame),
    broadcast: (frame) => link.broadcast(frame),
    onFrame: (listener) => link.onFrame(listener),
    onLink: (listener) => link.onLink(listener),
    admit: (nodes) => link.admit(nodes),
    abort: (node) => link.abort(node),
    maintain: (peers) =>
      link.maintain(
        peers.map(({ node, addresses }) => {
          return { node, addresses: [...new Set([...addresses, ...(known.get(node) ?? [])])] };
        }),
      ),
  };
}
