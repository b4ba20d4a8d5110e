/**
 * Which IPv4 subnet a node's containers get their addresses from. Each node claims one for itself
 * in its own document; claims made on two sides of a partition may collide, and then settle the
 * same way everywhere: the lower node id keeps the subnet, the other looks for another one.
 *
 * A node tries subnets in an order of its own, drawn from its id, so that nodes which join at the
 * same moment rarely want the same one. The order is double hashing: Knuth, "The Art of Computer
 * Programming" volume 3, section 6.4, algorithm D. An odd step visits every slot of a power of two.
 */

import { compareIds, type NodeId } from "../model/ids.ts";

/** Private (RFC 1918), and far from what Docker (172.16/12, 192.168/16) and home routers use. */
const defaultPool = "10.210.0.0/16";
/** 254 containers on a node, 256 nodes in the default pool. */
const defaultBits = 24;

/** An IPv4 network: its first address as a number in [0, 2^32), and its prefix length. */
type Network = { readonly base: number; readonly bits: number };

/**
 * The CIDR that `self` should claim, given what all nodes claim at present, itself included. The
 * claim it has already when that holds; "" when the pool has nothing free. Claims that cannot be
 * read are no claims.
 */
export function claimSubnet(
  self: NodeId,
  claims: ReadonlyMap<NodeId, string>,
  pool = defaultPool,
  bits = defaultBits,
): string {
  const whole = parseNetwork(pool);
  if (whole === undefined || bits < whole.bits || bits > 30) {
    throw new Error(`no subnets of /${bits} can be cut from ${pool}`);
  }
  const others = [...claims]
    .filter(([node]) => node !== self)
    .flatMap(([node, cidr]) => {
      const network = parseNetwork(cidr);
      return network === undefined ? [] : [{ node, network }];
    });
  const own = parseNetwork(claims.get(self) ?? "");
  if (own !== undefined && own.bits === bits && overlaps(own, whole)) {
    const stronger = others.filter(({ node }) => compareIds(node, self) < 0);
    if (!stronger.some(({ network }) => overlaps(network, own))) return format(own);
  }
  const free = candidates(self, whole, bits).find(
    (candidate) => !others.some(({ network }) => overlaps(network, candidate)),
  );
  return free === undefined ? "" : format(free);
}

/** The bridge's own address in it, the first one; undefined when this is no CIDR. */
export function gatewayOf(cidr: string): string | undefined {
  const network = parseNetwork(cidr);
  return network === undefined ? undefined : formatAddress(network.base + 1);
}

/** All subnets of the pool, in the order in which this node wants them. */
function candidates(self: NodeId, pool: Network, bits: number): Network[] {
  const count = 2 ** (bits - pool.bits);
  const size = 2 ** (32 - bits);
  const start = hash(self, 0x811c9dc5) % count;
  const step = (hash(self, 0x2f0b4a27) | 1) >>> 0;
  return Array.from({ length: count }, (_, index) => {
    // Below 2^53: at most 2^30 subnets, and the step is taken modulo their number.
    const slot = (start + index * (step % count)) % count;
    return { base: pool.base + slot * size, bits };
  });
}

/** FNV-1a, finished so that ids which differ in their last letter alone differ everywhere. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}

function overlaps(left: Network, right: Network): boolean {
  const size = 2 ** (32 - Math.min(left.bits, right.bits));
  return Math.floor(left.base / size) === Math.floor(right.base / size);
}

/** Undefined unless it is four decimal bytes without leading zeros, a prefix, and no host bits. */
function parseNetwork(cidr: string): Network | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (match === null) return undefined;
  const [a, b, c, d, bits] = match.slice(1).map(Number) as [number, number, number, number, number];
  if (Math.max(a, b, c, d) > 255 || bits > 32) return undefined;
  const base = ((a * 256 + b) * 256 + c) * 256 + d;
  return base % 2 ** (32 - bits) === 0 ? { base, bits } : undefined;
}

function format({ base, bits }: Network): string {
  return `${formatAddress(base)}/${bits}`;
}

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}
