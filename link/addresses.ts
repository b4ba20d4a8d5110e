/**
 * Addresses of peers as multiaddrs over TCP, without the peer id: which texts can be dialled, which
 * of a host's own are worth telling others, and where a peer that called us probably listens.
 *
 * Source of the form: multiformats/multiaddr specification.
 */

import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { publicKeyOf } from "../trust/identity.ts";

/** Told to others: more would not fit a node's row (model/documents.ts). */
export const addressesMax = 8;

const charactersMax = 512;
const hostKinds = new Set(["ip4", "ip6", "dns", "dns4", "dns6"]);

export type PeerAddress = {
  /** "/ip4/10.0.0.1/tcp/7946" */
  readonly address: string;
  /** The peer id behind it, where one is written. */
  readonly peer: string | undefined;
};

/** Undefined for everything that TCP cannot dial. Port 0 is good for listening only. */
export function parseAddress(text: string): PeerAddress | undefined {
  if (text.length > charactersMax) return undefined;
  const parts = componentsOf(text);
  if (parts === undefined || parts.length < 2 || parts.length > 3) return undefined;
  const [host, port, end] = parts as [Component, Component, Component | undefined];
  if (!hostKinds.has(host.name) || port.name !== "tcp") return undefined;
  if (end !== undefined && (end.name !== "p2p" || publicKeyOf(end.value ?? "") === undefined)) {
    return undefined;
  }
  return { address: `/${host.name}/${host.value}/tcp/${port.value}`, peer: end?.value };
}

export function isLoopback(address: string): boolean {
  return /^\/ip4\/127\.|^\/ip6\/(?:::1|0*:0*:0*:0*:0*:0*:0*:0*1)\//.test(address);
}

type Component = { readonly name: string; readonly value?: string };

function componentsOf(text: string): readonly Component[] | undefined {
  try {
    return multiaddr(text).getComponents();
  } catch {
    return undefined;
  }
}

/** One socket that listens: its address as it was bound, and the port it really got. */
export type Bound = { readonly host: string; readonly port: number };

export type Interface = {
  readonly name: string;
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  /** Loopback. */
  readonly internal: boolean;
};

/** Bridges and cables to containers: on every host the same addresses, reachable from none. */
const inner = /^(?:docker|br-|veth|virbr|cni|flannel|cali|lxc|lxd|podman|kube|vxlan|shoal)/;

/**
 * What to tell others, best first, at most eight. A wildcard stands for every address of the host;
 * loopback and bridges are told only where there is nothing else.
 */
export function announcedAddresses(
  bound: readonly Bound[],
  interfaces: readonly Interface[],
): string[] {
  const usable = interfaces.filter(({ address }) => !/^fe[89ab]/i.test(address));
  const outer = usable.filter(({ internal, name }) => !internal && !inner.test(name));
  const inside = usable.filter(({ internal, name }) => !internal && inner.test(name));
  const loopback = usable.filter(({ internal }) => internal);
  const found = bound.flatMap(({ host, port }) => {
    if (host !== "0.0.0.0" && host !== "::") return [toAddress(host, port)];
    const family = host === "::" ? "IPv6" : "IPv4";
    const ofFamily = (list: readonly Interface[]) => list.filter((one) => one.family === family);
    const choices = [outer, inside, loopback].map(ofFamily);
    const best = choices.find((list) => list.length > 0) ?? [];
    return best.map(({ address }) => toAddress(address, port));
  });
  return [...new Set(found)].slice(0, addressesMax);
}

function toAddress(host: string, port: number): string {
  return `/${host.includes(":") ? "ip6" : "ip4"}/${host}/tcp/${port}`;
}

/** Where we see a peer come from, with the ports on which it says that it listens. */
export function guessAddresses(remote: Multiaddr, told: readonly string[]): string[] {
  const host = remote.getComponents()[0];
  if (host === undefined || (host.name !== "ip4" && host.name !== "ip6")) return [];
  const ports = told.map((address) => address.match(/\/tcp\/(\d+)$/)?.[1]);
  const guesses = ports.flatMap((port) =>
    port === undefined ? [] : [`/${host.name}/${host.value}/tcp/${port}`],
  );
  return [...new Set(guesses)];
}
