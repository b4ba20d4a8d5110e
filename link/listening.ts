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
    const detail = `${text} is no address to listen on: it looks like /ip4/0.0.0.0/tcp/7946`;
    throw new OperationError({ code: "argument-invalid", argument: "--listen", detail });
  }
  return { host, port: Number(port) };
}

function whyNot(error: unknown, wishes: readonly Bound[], node: string): Problem {
  const detail = error instanceof Error ? error.message.trim() : String(error);
  const port = wishes[0]?.port ?? 0;
  if (detail.includes("EADDRINUSE")) {
    return { code: "port-in-use", port, protocol: "tcp", node, detail: "EADDRINUSE" };
  }
  const [, host = ""] = /EADDRNOTAVAIL.* (\S+):\d+$/m.exec(detail) ?? [];
  if (host !== "") {
    const absent = `this host has no address ${host}`;
    return { code: "argument-invalid", argument: "--listen", detail: absent };
  }
  // The library's first line is advice on its own settings; stacks follow each reason.
  const reason = detail.split("\n").find((line) => /\bE[A-Z]{4,}\b/.test(line)) ?? detail;
  return { code: "argument-invalid", argument: "--listen", detail: reason.trim() };
}
