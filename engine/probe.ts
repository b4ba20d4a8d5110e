/** Asks a task whether it answers, over HTTP or TCP. A door; both engines use it. */

import { get } from "node:http";
import { connect } from "node:net";
import type { CheckTest } from "../model/spec.ts";

export type NetworkTest = Exclude<CheckTest, { kind: "command" }>;

/** `port` is where the target port of the test really listens. False for every failure. */
export function probe(
  test: NetworkTest,
  at: { readonly address: string; readonly port: number },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (test.kind === "tcp") return accepts(at.address, at.port, timeoutMs, signal);
  return answers(at, test.path, timeoutMs, signal);
}

/** A connection is made, and closed at once. */
export function accepts(
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (accepted: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", give);
      // A reset leaves nothing behind in a server that is asked every second.
      socket.resetAndDestroy();
      resolve(accepted);
    };
    const give = (): void => end(false);
    const timer = setTimeout(give, timeoutMs);
    signal.addEventListener("abort", give, { once: true });
    socket.once("connect", () => end(true));
    socket.on("error", give);
    if (signal.aborted) give();
  });
}

/** As Kubernetes has it: 200 to 399 is well. Redirects are not followed, bodies not read. */
function answers(
  at: { readonly address: string; readonly port: number },
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (well: boolean): void => {
      clearTimeout(timer);
      request.destroy();
      resolve(well);
    };
    const request = get({
      host: at.address,
      port: at.port,
      path: path.startsWith("/") ? path : `/${path}`,
      agent: false,
      signal,
      headers: { "user-agent": "shoal-check", connection: "close" },
    });
    const timer = setTimeout(() => end(false), timeoutMs);
    request.once("response", ({ statusCode = 0 }) => end(statusCode >= 200 && statusCode < 400));
    request.on("error", () => end(false));
  });
}
