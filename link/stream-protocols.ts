/**
 * Protocols as they are served and called on libp2p's connections: each to its kinds of guests, and
 * with limits far above what forwarding needs. A door.
 */

import type { Duplex } from "node:stream";
import type { Connection, Libp2p } from "@libp2p/interface";
import { OperationError } from "../model/problem.ts";
import type { Admission } from "./admission.ts";
import type { Counters } from "./counters.ts";
import { streamsMax } from "./secure-transport.ts";
import { streamDuplex } from "./stream-duplex.ts";
import type { Guest } from "./streams.ts";

/** A stream is open after one round trip; a peer that needs longer than this is not well. */
const openMsMax = 5_000;

const limits = { maxInboundStreams: streamsMax, maxOutboundStreams: streamsMax };

export function serveProtocol(
  libp2p: Libp2p,
  { admission, counters }: { readonly admission: Admission; readonly counters: Counters },
  protocol: string,
  guests: readonly Guest[],
  accept: (stream: Duplex, from: string) => void,
): void {
  const handled = libp2p.handle(
    protocol,
    (stream, connection) => {
      const from = connection.remotePeer.toString();
      const kind = admission.kindOf(from);
      if (kind !== undefined && guests.includes(kind)) return accept(streamDuplex(stream), from);
      counters.add("streamsRefused");
      stream.abort(new Error("this protocol is not for that guest"));
    },
    limits,
  );
  // It only fails when served twice, which is a mistake of ours: nothing to go on from.
  handled.catch((error: unknown) => queueMicrotask(() => raise(error)));
}

function raise(error: unknown): never {
  throw error;
}

/** Rejects with the signal's reason, or an OperationError that names the address. */
export async function openProtocol(
  connection: Connection,
  protocol: string,
  signal?: AbortSignal,
): Promise<Duplex> {
  const late = AbortSignal.timeout(openMsMax);
  const either = signal === undefined ? late : AbortSignal.any([late, signal]);
  try {
    const limit = { signal: either, maxOutboundStreams: streamsMax };
    return streamDuplex(await connection.newStream(protocol, limit));
  } catch (error) {
    signal?.throwIfAborted();
    const detail = late.aborted ? "it does not answer" : reasonOf(error);
    const address = connection.remoteAddr.toString();
    throw new OperationError({ code: "peer-unreachable", address, detail }, { cause: error });
  }
}

/** What libraries say that means nothing to people. */
const plainReasons: readonly (readonly [said: RegExp, meant: string])[] = [
  // Noise's prologue holds the mesh's secret: whoever has another cannot read the first message.
  [/handshake stage/, "it belongs to another mesh, or is no agent of Shoal"],
  [/identity key (\S+) does not match expected/, "another peer answers there ($1)"],
  [/ECONNREFUSED/, "nobody listens there (ECONNREFUSED)"],
];

/** One line for people. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) {
    return [...new Set(error.errors.map(reasonOf))].join("; ") || "no address is known";
  }
  if (!(error instanceof Error)) return "it went away";
  const { message } = error;
  const known = plainReasons.find(([said]) => said.test(message));
  if (known === undefined) return message;
  const [said, meant] = known;
  return meant.replace("$1", said.exec(message)?.[1] ?? "");
}

/** What others wait for as well goes on when this one gives up. */
export async function orAborted<Value>(work: Promise<Value>, signal?: AbortSignal): Promise<Value> {
  if (signal === undefined) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
