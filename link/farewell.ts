/**
 * What a node that was removed gets when it calls: a hello, so that it listens, and the frames that
 * say why it is out. Without them it would run its tasks for ever and take the mesh for dead.
 */

import type { Connection, Stream } from "@libp2p/interface";
import type { Admission } from "./admission.ts";
import type { Counters } from "./counters.ts";
import { FrameChannel } from "./frame-channel.ts";
import { helloBytesMax, readHello, writeHello } from "./hello.ts";
import { packRecord } from "./records.ts";

/** To read what it is told; then it is a stranger, ms. */
const stayMsMax = 5_000;
/** Facts of ten thousand nodes. */
const queueBytesMax = 8 * 1024 * 1024;

/** `frames` is asked once the other side has said hello. */
export function bidFarewell(
  stream: Stream,
  counters: Counters,
  frames: () => readonly Uint8Array[],
): void {
  let isGreeted = false;
  const channel = new FrameChannel(stream, {
    recordBytesMax: helloBytesMax,
    queueBytesMax,
    onRecord: (record) => {
      // What it has to say for itself is of no interest any more.
      if (isGreeted) return;
      isGreeted = readHello(record) !== undefined;
      if (!isGreeted) return channel.abort("no hello");
      counters.add("farewells");
      channel.send(packRecord(writeHello({ listen: [], alone: true })));
      for (const frame of frames()) channel.send(packRecord(frame));
    },
    onInvalid: () => counters.add("framesInvalid"),
    onDropped: (records) => counters.add("framesDropped", records),
    onClosed: () => {},
  });
}

/** Called about once a second. */
export function endStays(
  connections: readonly Connection[],
  admission: Admission,
  wallMs: number,
): void {
  for (const connection of connections) {
    if (wallMs - connection.timeline.open <= stayMsMax) continue;
    if (admission.kindOf(connection.remotePeer.toString()) !== "removed") continue;
    connection.abort(new Error("removed from the mesh"));
  }
}
