/**
 * Where to probe: members list multiaddrs of their TCP port, probes go to the same hosts by UDP.
 * Only literal IP addresses: looking names up would let a dead resolver hold up the process's few
 * threads for files. A member behind a name is found by where its own probes come from.
 */

import type { ProbeTarget } from "../ports.ts";

export type UdpAddress = {
  readonly family: 4 | 6;
  readonly host: string;
  readonly port: number;
};

const shape = /^\/(ip4|ip6)\/([0-9a-fA-F:.]{2,45})(?:\/(tcp|udp)\/(\d{1,5}))?(?:\/|$)/;
const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** As texts that `parseUdpAddress` reads: "/ip4/10.0.0.1/udp/7946". Unusable ones are left out. */
export function udpAddressesOf(target: ProbeTarget): string[] {
  const found = target.addresses.flatMap((address) => {
    const [, kind, host] = shape.exec(address) ?? [];
    const text = `/${kind}/${host}/udp/${target.port}`;
    return parseUdpAddress(text) === undefined ? [] : [text];
  });
  return [...new Set(found)];
}

export function parseUdpAddress(address: string): UdpAddress | undefined {
  const [, kind, host, protocol, digits] = shape.exec(address) ?? [];
  const port = Number(digits);
  if (host === undefined || protocol !== "udp" || port < 1 || port > 65_535) return undefined;
  if (kind === "ip4") return ipv4.test(host) ? { family: 4, host, port } : undefined;
  // Loosely: the kernel has the last word, and a wrong one is a send that fails.
  return host.includes(":") ? { family: 6, host, port } : undefined;
}

/** Of a datagram's sender. Sockets of both families say "::ffff:10.0.0.1" for 10.0.0.1. */
export function udpAddressText(host: string, port: number): string {
  const inner = mapped.exec(host)?.[1];
  if (inner !== undefined) return `/ip4/${inner}/udp/${port}`;
  // A zone ("fe80::1%eth0") means something only on the link that it came in by.
  return host.includes(":") ? `/ip6/${host.split("%")[0]}/udp/${port}` : `/ip4/${host}/udp/${port}`;
}
