/**
 * How a forward stream begins, both sides of it: the header, and the answer to it. A door. Nothing
 * of the client's is sent before the answer, so a refusal costs it nothing.
 */

import type { Duplex } from "node:stream";
import type { Endpoint } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import { readExactly } from "./exact-read.ts";
import {
  type Answer,
  answers,
  encodeHeader,
  type ForwardHeader,
  parseHeader,
} from "./forward-header.ts";
import { ignore, type Means } from "./means.ts";

/** A stream that the endpoint's node has joined to it. Rejects when it has not, for any reason. */
export async function openForward(
  means: Means,
  { task, node }: Endpoint,
  port: PortKey,
  timeoutMs: number,
): Promise<Duplex> {
  const abort = new AbortController();
  let stream: Duplex | undefined;
  const stop = means.limit(timeoutMs, () => {
    abort.abort();
    stream?.destroy();
  });
  try {
    const purpose = port.endsWith("/udp") ? "datagrams" : "forward";
    stream = means.hold(
      await openUnlessAborted(() => means.openStream(node, purpose, abort.signal), abort.signal),
    );
    stream.write(encodeHeader({ task, port }));
    const [answer] = await readExactly(stream, 1);
    if (answer !== answers.accepted) throw new Error(`the node of ${task} answers ${answer}`);
    return stream;
  } catch (error) {
    stream?.destroy();
    throw error;
  } finally {
    stop();
  }
}

/** Whoever opens may not heed the signal: what comes too late is destroyed. */
function openUnlessAborted(open: () => Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    open().then((stream) => {
      if (!signal.aborted) return resolve(stream);
      stream.on("error", ignore);
      stream.destroy();
    }, reject);
  });
}

/** The header of a stream from a peer; undefined when it is none of ours. Rejects on silence. */
export async function readHeader(means: Means, stream: Duplex): Promise<ForwardHeader | undefined> {
  const stop = means.limit(means.config.headerMs, () => stream.destroy());
  try {
    const [length] = await readExactly(stream, 1);
    if (length === 0) return undefined;
    return parseHeader(await readExactly(stream, length as number));
  } finally {
    stop();
  }
}

export function answer(stream: Duplex, given: Answer): void {
  const byte = Buffer.of(answers[given]);
  if (given === "accepted") stream.write(byte);
  else stream.end(byte, () => stream.destroy());
}
