/**
 * Broadcasts for meshes too large to send to every peer: gossipsub, one topic, in lean settings. A
 * door.
 *
 * It is always there and costs nothing until somebody uses it: only a node with nearly as many
 * links as make it worth while opens gossip streams to its peers, and they answer in kind. Who is
 * a peer, we tell it ourselves, nodes only: its own way needs identify to have succeeded, takes in
 * guests as well, and never mends a stream that died on a living connection.
 *
 * Source: gossipsub v1.1 and v1.2 specifications (libp2p/specs).
 */

import {
  type GossipSub,
  type GossipsubOpts,
  gossipsub,
  StrictNoSign,
  TopicValidatorResult,
} from "@libp2p/gossipsub";
import type { Connection, Startable, Topology } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import type { NodeId } from "../model/ids.ts";
import type { Admission } from "./admission.ts";
import type { Counters } from "./counters.ts";
import type { Insides } from "./libp2p-node.ts";

const topic = "shoal/frames/1";
/** Towards a slow peer; past it, its gossip stream is reset and later opened anew. */
const queueBytesMax = 8 * 1024 * 1024;

/**
 * Degree 4: measured with 50 nodes, a third of the copies and half of the CPU of the default. No
 * signatures, since documents carry their own. No score for sharing an address, which deafens a
 * node with more than ten peers behind one.
 */
const leanSettings: Partial<GossipsubOpts> = {
  D: 4,
  Dlo: 3,
  Dhi: 6,
  Dscore: 2,
  Dout: 1,
  Dlazy: 4,
  floodPublish: false,
  fallbackToFloodsub: false,
  tagMeshPeers: false,
  doPX: false,
  allowPublishToZeroTopicPeers: true,
  ignoreDuplicatePublishError: true,
  globalSignaturePolicy: StrictNoSign,
  idontwantMinDataSize: 2 ** 30,
  maxOutboundBufferSize: queueBytesMax,
  allowedTopics: [topic],
  scoreParams: { IPColocationFactorWeight: 0 },
};

export type GossipOptions = {
  readonly admission: Admission;
  readonly counters: Counters;
  readonly frameBytesMax: number;
  /** `from` is who handed it on, which need not be who wrote it. */
  onFrame(from: NodeId, frame: Uint8Array): void;
};

export class Gossip {
  readonly #options: GossipOptions;
  readonly #pubsub: GossipSub & Startable;
  #topologies: Topology[] = [];

  constructor(insides: Insides, options: GossipOptions) {
    this.#options = options;
    const { peerId, privateKey, peerStore, connectionManager, logger } = insides;
    const registrar = this.#guard(insides.registrar);
    const components = { peerId, privateKey, peerStore, connectionManager, logger, registrar };
    const maxInboundDataLength = 2 * options.frameBytesMax;
    const create = gossipsub({ ...leanSettings, maxInboundDataLength });
    this.#pubsub = create(components) as GossipSub & Startable;
  }

  async start(): Promise<void> {
    const { admission, counters, frameBytesMax, onFrame } = this.#options;
    this.#pubsub.topicValidators.set(topic, (relay, { data }) => {
      if (admission.isNode(relay.toString()) && data.length <= frameBytesMax) {
        return TopicValidatorResult.Accept;
      }
      counters.add("gossipRefused");
      return TopicValidatorResult.Reject;
    });
    this.#pubsub.addEventListener("gossipsub:message", ({ detail }) => {
      const from = detail.propagationSource.toString();
      // A copy of its own: what comes is a view of the whole message that carried it.
      const frame = new Uint8Array(detail.msg.data);
      if (detail.msg.topic === topic && admission.isNode(from)) onFrame(from, frame);
    });
    await this.#pubsub.start();
    this.#pubsub.subscribe(topic);
  }

  /** Idempotent: a peer whose gossip stream is open is left as it is. */
  connect(connection: Connection): void {
    for (const { onConnect } of this.#topologies)
      void onConnect?.(connection.remotePeer, connection);
  }

  disconnect(node: NodeId): void {
    for (const { onDisconnect } of this.#topologies) void onDisconnect?.(peerIdFromString(node));
  }

  /** Nodes that a publication reaches, over others or directly. */
  reached(): ReadonlySet<string> {
    return new Set(this.#pubsub.getSubscribers(topic).map(String));
  }

  /** With how many nodes one is open. */
  streams(): number {
    return this.#pubsub.getPeers().length;
  }

  /** Best effort. */
  publish(frame: Uint8Array): void {
    this.#pubsub.publish(topic, frame).catch(() => this.#options.counters.add("gossipRefused"));
  }

  async stop(): Promise<void> {
    await this.#pubsub.stop();
  }

  /** The registrar as gossipsub may see it: streams of nodes only, and peers as we name them. */
  #guard(registrar: Insides["registrar"]): Insides["registrar"] {
    const { admission, counters } = this.#options;
    const handle: typeof registrar.handle = (protocol, handler, options) =>
      registrar.handle(
        protocol,
        (stream, connection) => {
          if (admission.isNode(connection.remotePeer.toString()))
            return handler(stream, connection);
          counters.add("streamsRefused");
          stream.abort(new Error("gossip is for nodes"));
        },
        options,
      );
    const register: typeof registrar.register = async (_protocol, topology) => {
      // It registers the same one under each version of its protocol.
      this.#topologies = [topology];
      return "";
    };
    const used: Pick<typeof registrar, "handle" | "unhandle" | "register" | "unregister"> = {
      handle,
      register,
      unregister: () => {},
      unhandle: (protocol, options) => registrar.unhandle(protocol, options),
    };
    // All that gossipsub calls.
    return used as typeof registrar;
  }
}
