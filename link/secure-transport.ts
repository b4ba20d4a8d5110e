/**
 * libp2p's TCP, noise and yamux with the settings that were measured, the same for an agent and
 * for a person's command. A door: it loads them.
 */

import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { StreamMuxer, StreamMuxerFactory } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import type { Identity } from "../trust/identity.ts";

/** Of one protocol on one connection, either way. Past it, streams are reset without a word. */
export const streamsMax = 4_096;

/**
 * Bytes in flight to a reader that pauses, 4 MiB: 86 MB/s at a round trip of 40 ms. It must stay
 * below the read buffer, or yamux resets a paused stream as soon as the window has grown past it.
 */
const windowBytesMax = 4 * 1024 * 1024;
const readBufferBytes = 2 * windowBytesMax;

export function secureTransport(identity: Identity, secret: Uint8Array) {
  const streamOptions = {
    maxStreamWindowSize: windowBytesMax,
    maxReadBufferLength: readBufferBytes,
  };
  // Frames and pings have streams of their own beside the forwarded ones.
  const streams = streamsMax + 64;
  return {
    privateKey: privateKeyFromRaw(Buffer.concat([identity.seed, identity.publicKey])),
    transports: [tcp()],
    connectionEncrypters: [noise({ prologueBytes: secret })],
    streamMuxers: [
      () =>
        guarded(
          yamux({ maxInboundStreams: streams, maxOutboundStreams: streams, streamOptions })(),
        ),
    ],
  };
}

/**
 * A stream that is opened in the very moment in which its connection ends says so in a microtask of
 * its own, where nobody could catch what yamux throws then: it ended whole agents (libp2p/js-libp2p
 * issue 3415). The muxer is aborted instead, and with it the stream.
 *
 * And a muxer that is aborted aborts its connection first. It would reset its streams one by one,
 * and the other side must be able to tell a task that reset a stream from an agent that has gone.
 */
export function guarded(factory: StreamMuxerFactory): StreamMuxerFactory {
  return {
    protocol: factory.protocol,
    createStreamMuxer(connection) {
      const muxer = factory.createStreamMuxer(connection) as StreamMuxer & Sending;
      const send = muxer.send.bind(muxer);
      muxer.send = (data) => {
        try {
          return send(data);
        } catch (error) {
          queueMicrotask(() => muxer.abort(error as Error));
          return false;
        }
      };
      const abort = muxer.abort.bind(muxer);
      muxer.abort = (error) => {
        connection.abort(error);
        abort(error);
      };
      return muxer;
    },
  };
}

/** What every muxer of libp2p's has, and its type does not tell. */
type Sending = { send(data: unknown): boolean };
