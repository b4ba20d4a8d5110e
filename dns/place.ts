/** Where servers are: addresses with ports, as people and resolv.conf(5) write them. */

import { formatAddress, parseAddress } from "./address.ts";

/** An address and a port, of UDP and TCP alike. */
export type Place = { readonly host: string; readonly port: number };

/** glibc reads three as well. */
const serversMax = 3;

export function readResolvConf(text: string): Place[] {
  return text
    .split("\n")
    .flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
    .flatMap((host) => (parseAddress(host) === undefined ? [] : [{ host, port: 53 }]))
    .slice(0, serversMax);
}

/** "10.0.0.1:53", "[fd00::1]:53", or an address alone with the port of DNS. */
export function parsePlace(text: string): Place | undefined {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? text;
  const port = Number(match?.[3] ?? 53);
  return parseAddress(host) === undefined || port > 65_535 ? undefined : { host, port };
}

export function formatPlace({ host, port }: Place): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Equal addresses, however written. */
export function isSamePlace(left: Place, right: Place): boolean {
  const [one, other] = [parseAddress(left.host), parseAddress(right.host)];
  if (one === undefined || other === undefined || left.port !== right.port) return false;
  return formatAddress(one) === formatAddress(other);
}
