/** Starts a libp2p node and says what it really listens on. A door. */

import type { NodeId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import { type Bound, parseAddress } from "./addresses.ts";
import type { Node } from "./libp2p-node.ts";

/** Throws an OperationError when one of the addresses is malformed or not to be had. */
export async function startListening(
  { libp2p, insides }: Node,
  listen: readonly string[],
  self: NodeId,
): Promise<readonly Bound[]> {
  const wishes = listen.map(readWish);
  try {
    await libp2p.start();
  } catch (error) {
    throw new OperationError(whyNot(error, wishes, self), { cause: error });
  }
  const listeners = insides.transportManager.getListeners();
  return wishes.flatMap(({ host }, index) => {
    // The others' addresses vary with the host's interfaces, the port is one.
    const port = listeners[index]
      ?.getAddrs()[0]
      ?.toString()
      .match(/\/tcp\/(\d+)/)?.[1];
    return port === undefined ? [] : [{ host, port: Number(port) }];
  });
}

function readWish(text: string): Bound {
  const address = parseAddress(text)?.address;
  const [, kind, host, , port] = address?.split("/") ?? [];
  if (host === undefined || (kind !== "ip4" && kind !== "ip6")) {
    const detail = "to listen on";
    throw new OperationError({ code: "address-invalid", address: text, detail });
  }
  return { host, port: Number(port) };
}

function whyNot(error: unknown, wishes: readonly Bound[], node: string): Problem {
  const detail = error instanceof Error ? error.message.trim() : String(error);
  const port = wishes[0]?.port ?? 0;
  if (detail.includes("EADDRINUSE")) {
    return { code: "port-in-use", port, protocol: "tcp", node, detail: "EADDRINUSE" };
  }
  return { code: "argument-invalid", argument: "--listen", detail };
}
