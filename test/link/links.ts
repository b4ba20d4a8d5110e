/** Links of one process over loopback, closed when their test ends. No rejection goes unheard. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { after, type TestContext } from "node:test";
import { type Link, type LinkOptions, openLink } from "../../link/link.ts";
import type { NodeId } from "../../model/ids.ts";
import { type Identity, identityFromSeed } from "../../trust/identity.ts";
import { until } from "../until.ts";

const unheard: unknown[] = [];
process.on("unhandledRejection", (reason) => unheard.push(reason));
after(() => assert.deepEqual(unheard, [], "promises were rejected and nobody listened"));

/** Far more than anything here takes on a busy machine, ms. */
export const deadlineMs = 30_000;

export const meshSecret = new Uint8Array(randomBytes(32));

export function newIdentity(): Identity {
  return identityFromSeed(new Uint8Array(randomBytes(32)));
}

/** By id: the first one is the lower, which is the one that dials. */
export function newPair(): [lower: Identity, higher: Identity] {
  const pair = [newIdentity(), newIdentity()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return pair as [Identity, Identity];
}

export type TestNode = {
  readonly id: NodeId;
  readonly identity: Identity;
  readonly link: Link;
  readonly heard: { readonly from: NodeId; readonly frame: Uint8Array }[];
  /** "up" and "down", with the last characters of the peer's id. */
  readonly events: string[];
};

export async function openNode(
  t: TestContext,
  options: Partial<LinkOptions> = {},
): Promise<TestNode> {
  const identity = options.identity ?? newIdentity();
  const link = await openLink({
    secret: meshSecret,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    mdns: false,
    log: () => {},
    ...options,
    identity,
  });
  t.after(() => link.close());
  const node: TestNode = { id: identity.id as NodeId, identity, link, heard: [], events: [] };
  link.onFrame((from, frame) => node.heard.push({ from, frame }));
  link.onLink((peer, state) => node.events.push(`${state} ${peer}`));
  return node;
}

export async function openNodes(
  t: TestContext,
  count: number,
  options: Partial<LinkOptions> = {},
): Promise<TestNode[]> {
  return await Promise.all(Array.from({ length: count }, () => openNode(t, options)));
}

export function admitAll(nodes: readonly TestNode[]): void {
  const ids = new Set(nodes.map(({ id }) => id));
  for (const { link } of nodes) link.admit(ids);
}

/** Tells each of all, as gossip does. */
export function maintainAll(nodes: readonly TestNode[]): void {
  const peers = nodes.map(({ id, link }) => ({ node: id, addresses: link.listenAddresses() }));
  for (const { link } of nodes) link.maintain(peers);
}

export function areLinked(nodes: readonly TestNode[]): boolean {
  return nodes.every(({ link }) => link.linked().length === nodes.length - 1);
}

export async function linkAll(nodes: readonly TestNode[]): Promise<void> {
  admitAll(nodes);
  maintainAll(nodes);
  await until(() => areLinked(nodes), deadlineMs, "all are linked to all");
}

/** Two linked nodes, the lower key first. */
export async function openPair(
  t: TestContext,
  options: Partial<LinkOptions> = {},
): Promise<[TestNode, TestNode]> {
  const [lower, higher] = newPair();
  const pair: [TestNode, TestNode] = [
    await openNode(t, { ...options, identity: lower }),
    await openNode(t, { ...options, identity: higher }),
  ];
  await linkAll(pair);
  return pair;
}

export const echoProtocol = "/test/echo/1";

/** A stream from one to the other, and the other side's end of it. */
export async function openStream(
  from: TestNode,
  to: TestNode,
  protocol = echoProtocol,
): Promise<[ours: Duplex, theirs: Duplex]> {
  const arrived = Promise.withResolvers<Duplex>();
  to.link.serve(protocol, ["node"], (stream) => arrived.resolve(stream));
  const ours = await from.link.open(to.id, protocol);
  return [ours, await arrived.promise];
}

/** The address of a node as people write it. */
export function fullAddress({ id, link }: TestNode): string {
  return `${link.listenAddresses()[0]}/p2p/${id}`;
}
