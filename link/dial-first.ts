/**
 * Dials all addresses of one peer, the best at once and the next when it fails or is slow, until
 * one answers and proves its key. libp2p's own queue dials one after the other, so that one
 * address that swallows packets holds up all behind it. A door.
 *
 * Source: RFC 8305, "Happy Eyeballs Version 2", section 5.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { Insides } from "./libp2p-node.ts";

/** RFC 8305 has 250 ms; peers are near, and addresses few. */
const staggerMs = 150;
/** For TCP alone. A kernel tries again after one second, we begin anew. */
const connectMsMax = 1_000;
/** For noise after it: a peer whose loop is busy answers late, a frozen one never. */
const handshakeMsMax = 5_000;

export type Dialled = { readonly connection: Connection; readonly address: string };

type Transports = Insides["transportManager"];

/** Rejects with all reasons when nobody answered, or when the signal says so. */
export async function dialFirst(
  transports: Transports,
  peer: string,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Dialled> {
  const stop = new AbortController();
  const giveUp = (): void => stop.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  const attempts: Promise<Dialled>[] = [];
  try {
    signal.throwIfAborted();
    for (const address of addresses) {
      const attempt = dialOne(transports, peer, address, stop.signal);
      attempts.push(attempt);
      const answered = attempt.then(
        () => true,
        () => false,
      );
      const isOver = await Promise.race([answered, sleep(staggerMs, false, { ref: false })]);
      if (isOver || stop.signal.aborted) break;
    }
    const first = await Promise.any(attempts);
    for (const attempt of attempts) void abortUnless(attempt, first);
    return first;
  } finally {
    signal.removeEventListener("abort", giveUp);
    stop.abort(new Error("another address answered"));
  }
}

async function abortUnless(attempt: Promise<Dialled>, winner: Dialled): Promise<void> {
  try {
    const dialled = await attempt;
    if (dialled !== winner) dialled.connection.abort(new Error("another address answered"));
  } catch {
    // It did not answer, which is what most of them do.
  }
}

async function dialOne(
  transports: Transports,
  peer: string,
  address: string,
  stop: AbortSignal,
): Promise<Dialled> {
  // A signal of its own: the socket obeys it even after the dial, and the winner shall live.
  const control = new AbortController();
  const giveUp = (): void => control.abort(stop.reason);
  const late = (): void => control.abort(new Error("no answer in time"));
  stop.addEventListener("abort", giveUp);
  let timer = setTimeout(late, connectMsMax);
  const onProgress = ({ type }: { readonly type: string }): void => {
    if (type !== "upgrader:encrypt-outbound-connection") return;
    clearTimeout(timer);
    timer = setTimeout(late, handshakeMsMax);
  };
  try {
    const target = multiaddr(`${address}/p2p/${peer}`);
    const connection = await transports.dial(target, { signal: control.signal, onProgress });
    return { connection, address };
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", giveUp);
  }
}
