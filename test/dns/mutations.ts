/** Packets as hostile as we can think of: random bytes, and valid ones with something broken. */

import type { Random } from "../../ports.ts";
import { encodeRecord, opt, query, replyTo, soaData, wire } from "./packets.ts";

/** Queries and replies that are right, to be spoilt. */
const seeds: readonly Buffer[] = [
  query("web.mesh", "A"),
  query("WEB.default.mesh", "AAAA", { edns: 1232 }),
  query("_80._tcp.web.mesh", "SRV", { edns: 4096 }),
  query("web.mesh", "TXT"),
  query("1.0.0.10.in-addr.arpa", "PTR"),
  query("mesh", "SOA"),
  query("big.mesh", "A"),
  query("", "NS"),
  query("example.com", "ANY", { edns: 512, dnssecOk: true }),
  replyTo(query("example.com", "A"), {
    answers: [{ type: 1, ttl: 60, data: Buffer.from([192, 0, 2, 1]) }],
    authorities: [{ type: 6, ttl: 60, data: soaData(30) }],
    additionals: [{ type: 41, ttl: 0, data: Buffer.alloc(0), owner: Buffer.from([0]) }],
  }),
];

export const mutate = (random: Random, from: readonly Buffer[] = seeds): Buffer => {
  const packet = Buffer.from(pick(random, from));
  const change = pick(random, changes);
  return change(random, packet, from);
};

type Change = (random: Random, packet: Buffer, from: readonly Buffer[]) => Buffer;

const changes: readonly Change[] = [
  // Random bytes, alone and behind a header that promises something.
  (random) => bytes(random, random.below(600)),
  (random, packet) => Buffer.concat([packet.subarray(0, 12), bytes(random, random.below(400))]),
  // Cut, spliced, with rubbish behind.
  (random, packet) => packet.subarray(0, random.below(packet.length + 1)),
  (random, packet, from) => {
    const other = pick(random, from);
    const head = packet.subarray(0, random.below(packet.length + 1));
    return Buffer.concat([head, other.subarray(random.below(other.length + 1))]);
  },
  (random, packet) => Buffer.concat([packet, bytes(random, random.below(5000))]),
  // Some bits, some bytes.
  (random, packet) => {
    for (let n = random.below(4); n >= 0; n--) {
      const at = random.below(packet.length);
      packet[at] = (packet[at] as number) ^ (1 << random.below(8));
    }
    return packet;
  },
  (random, packet) => {
    for (let n = random.below(6); n >= 0; n--)
      packet[random.below(packet.length)] = random.below(256);
    return packet;
  },
  // Flags and counts.
  (random, packet) => {
    packet.writeUInt16BE(random.below(65_536), 2);
    return packet;
  },
  (random, packet) => {
    packet.writeUInt16BE(random.below(65_536), 4 + 2 * random.below(4));
    return packet;
  },
  // Pointers, lengths at their limits.
  (random, packet) => {
    const at = 12 + random.below(packet.length - 13);
    packet.writeUInt16BE(0xc000 | random.below(random.below(2) === 0 ? 64 : 0x4000), at);
    return packet;
  },
  (random, packet) => {
    packet[12 + random.below(packet.length - 12)] = pick(
      random,
      [0, 63, 64, 127, 128, 191, 192, 255],
    );
    return packet;
  },
  // Labels of any bytes; EDNS with any options.
  (random) => {
    const labels = Array.from({ length: random.below(6) }, () =>
      bytes(random, 1 + random.below(63)),
    );
    const name = labels.flatMap((label) => [Buffer.from([label.length]), label]);
    const type = pick(random, [0, 1, 12, 16, 28, 33, 41, 65, 252, 255]);
    const end = Buffer.from([0, 0, type, 0, 1]);
    return Buffer.concat([query("", "A").subarray(0, 12), ...name, end]);
  },
  (random) => {
    const options = bytes(random, random.below(60)).map((byte) =>
      byte % 4 === 0 ? byte : byte % 12,
    );
    const record = opt(random.below(65_536), random.below(3));
    record.writeUInt16BE(random.below(3) === 0 ? random.below(128) : options.length, 9);
    const packet = Buffer.concat([query("web.mesh", "A"), record, options]);
    packet.writeUInt16BE(1 + random.below(3), 10);
    return packet;
  },
];

/**
 * The packet that kept dns2's parser for 3.9 s: 8,000 pointers, each to the one before, and 4,000
 * names that begin at the last.
 */
export function pointerBomb(bytesMax: number): Buffer {
  const chainEnd = Math.min(16_382, Math.floor(bytesMax / 4));
  const chain = Buffer.alloc(chainEnd - 23);
  for (let at = 1; at + 2 <= chain.length; at += 2) {
    chain.writeUInt16BE(0xc000 | (23 + Math.max(0, at - 2)), at);
  }
  const header = query("", "A").subarray(0, 12);
  const holder = encodeRecord({ type: 65_280, ttl: 0, data: chain, owner: wire("") });
  const last = Buffer.from([0xc0 | ((chainEnd - 2) >> 8), (chainEnd - 2) & 255]);
  const name = encodeRecord({ type: 65_280, ttl: 0, data: Buffer.alloc(0), owner: last });
  const count = Math.floor((bytesMax - 12 - holder.length) / name.length);
  header.writeUInt16BE(0, 4);
  header.writeUInt16BE(count + 1, 6);
  return Buffer.concat([header, holder, ...new Array<Buffer>(count).fill(name)]);
}

function bytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.below(items.length)] as Item;
}
