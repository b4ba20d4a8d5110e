/**
 * Published and exposed ports. Source: Compose specification, "ports": short form
 * "[address:][published:]target[/protocol]" with ranges, or a map.
 *
 * A port published without a number of its own gets one from 30000 to 32767, as in Swarm, but
 * derived from its name: the same at every deployment, so that people can write it down.
 */

import type { PortKey, PublishedPort } from "../../model/spec.ts";
import type { Field } from "./field.ts";
import { parsePortRange } from "./quantities.ts";

type Protocol = PublishedPort["protocol"];

/** `owner` is "stack/service", for ports that derive their number. */
export function readPorts(field: Field, owner: string): PublishedPort[] {
  return field.items().flatMap((item) => {
    return item.tree?.kind === "map" ? readLong(item, owner) : readShort(item, owner);
  });
}

const shortForm = /^(?:(?:(\[[^\]]*\]|[^:[\]/]*):)?([\d-]*):)?([\d-]+)(?:\/([A-Za-z]+))?$/;

function readShort(item: Field, owner: string): PublishedPort[] {
  const text = item.word() ?? "";
  const match = shortForm.exec(text);
  const targets = parsePortRange(match?.[3] ?? "");
  const protocol = readProtocol(match?.[4] ?? "tcp");
  if (match === null || targets === undefined || protocol === undefined) {
    item.invalid(`expected a port such as "8080:80" or "53:53/udp", found "${text}"`);
    return [];
  }
  if (!allowsAddress(item, match[1])) return [];
  const published = match[2] ?? "";
  if (published === "") return spread(targets, (target) => derive(item, owner, target, protocol));
  const range = parsePortRange(published);
  if (range === undefined || range[1] - range[0] !== targets[1] - targets[0]) {
    item.invalid(`the ranges of "${text}" are not of one length within 1 to 65535`);
    return [];
  }
  return spread(targets, (target, offset) => {
    return { published: range[0] + offset, target, protocol, mode: "ingress" };
  });
}

function readLong(item: Field, owner: string): PublishedPort[] {
  const target = item.get("target").whole(1, 65_535);
  const protocol = item.get("protocol").choice(["tcp", "udp"]) ?? "tcp";
  const mode = item.get("mode").choice(["ingress", "host"]) ?? "ingress";
  const isOpen = allowsAddress(item.get("host_ip"), item.get("host_ip").word());
  if (!item.get("target").isPresent) item.invalid("needs a target");
  if (target === undefined || !isOpen) return [];
  const published = item.get("published");
  if (published.word() === undefined) return [{ ...derive(item, owner, target, protocol), mode }];
  const range = parsePortRange(published.word() ?? "");
  if (range === undefined || range[0] !== range[1]) {
    published.invalid("expected one port, 1 to 65535");
    return [];
  }
  return [{ published: range[0], target, protocol, mode }];
}

/** Every node listens on every address: narrowing it would be forgotten, so it is an error. */
function allowsAddress(field: Field, address: string | undefined): boolean {
  const any = ["", "0.0.0.0", "[::]", "::", "*"];
  if (address === undefined || any.includes(address)) return true;
  field.unsupported(`listening on ${address} alone: every node publishes on all its addresses`);
  return false;
}

function derive(item: Field, owner: string, target: number, protocol: Protocol): PublishedPort {
  const published = 30_000 + (hash(`${owner} ${target}/${protocol}`) % 2768);
  item.assumed(`no published port is given: ${published} is used for ${target}/${protocol}`);
  return { published, target, protocol, mode: "ingress" };
}

/** FNV-1a, 32 bits: Fowler, Noll, Vo; draft-eastlake-fnv. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  }
  return state;
}

function spread(
  [first, last]: readonly [number, number],
  make: (port: number, offset: number) => PublishedPort,
): PublishedPort[] {
  return Array.from({ length: last - first + 1 }, (_, offset) => make(first + offset, offset));
}

function readProtocol(text: string): Protocol | undefined {
  const lower = text.toLowerCase();
  return lower === "tcp" || lower === "udp" ? lower : undefined;
}

export function readExpose(field: Field): PortKey[] {
  return field.items().flatMap((item) => {
    const [ports = "", named = "tcp"] = (item.word() ?? "").split("/");
    const range = parsePortRange(ports);
    const protocol = readProtocol(named);
    if (range === undefined || protocol === undefined) {
      item.invalid(`expected a port such as "8080" or "53/udp"`);
      return [];
    }
    const [first, last] = range;
    return Array.from(
      { length: last - first + 1 },
      (_, at): PortKey => `${first + at}/${protocol}`,
    );
  });
}
