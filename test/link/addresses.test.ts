import assert from "node:assert/strict";
import { test } from "node:test";
import { multiaddr } from "@multiformats/multiaddr";
import fc from "fast-check";
import {
  announcedAddresses,
  guessAddresses,
  type Interface,
  isLoopback,
  parseAddress,
} from "../../link/addresses.ts";
import { newIdentity } from "./links.ts";

const { id } = newIdentity();

const addresses: [text: string, address: string | undefined, peer?: string][] = [
  ["/ip4/10.0.0.1/tcp/7946", "/ip4/10.0.0.1/tcp/7946"],
  [`/ip4/10.0.0.1/tcp/7946/p2p/${id}`, "/ip4/10.0.0.1/tcp/7946", id],
  [`/ip6/fd00::2/tcp/1/p2p/${id}`, "/ip6/fd00::2/tcp/1", id],
  ["/dns4/node.example/tcp/7946", "/dns4/node.example/tcp/7946"],
  ["/ip4/10.0.0.1/udp/7946", undefined],
  ["/ip4/10.0.0.1/tcp/7946/ws", undefined],
  ["/ip4/10.0.0.1/tcp/7946/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", undefined],
  ["/ip4/10.0.0.256/tcp/7946", undefined],
  ["/ip4/10.0.0.1/tcp/65536", undefined],
  ["/ip4/10.0.0.1", undefined],
  ["10.0.0.1:7946", undefined],
  ["", undefined],
  [`/dns4/${"a".repeat(600)}/tcp/1`, undefined],
];

for (const [text, address, peer] of addresses) {
  test(`"${text.slice(0, 60)}" is ${address ?? "no address"}`, () => {
    const expected = address === undefined ? undefined : { address, peer };
    assert.deepEqual(parseAddress(text), expected);
  });
}

test("whatever text comes, it is an address or nothing", () => {
  fc.assert(fc.property(fc.string(), (text) => void parseAddress(`/${text}`)));
});

test("loopback is told from the rest", () => {
  const loopback = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.9.9.9/tcp/1", "/ip6/::1/tcp/1"];
  const others = ["/ip4/10.127.0.1/tcp/1", "/ip6/fd00::1/tcp/1", "/dns4/localhost.example/tcp/1"];
  assert.deepEqual([...loopback, ...others].filter(isLoopback), loopback);
});

// `eth0 10.0.0.5` is an interface with its address.
const hosts: [name: string, listens: string, interfaces: string, told: string][] = [
  ["a wildcard by each address", "0.0.0.0:1", "lo 127.0.0.1, eth0 10.0.0.5", "10.0.0.5"],
  [
    "several, in their order",
    "0.0.0.0:1",
    "eth0 10.0.0.5, wlan0 192.168.1.2",
    "10.0.0.5 192.168.1.2",
  ],
  ["loopback for want of others", "0.0.0.0:1", "lo 127.0.0.1", "127.0.0.1"],
  ["loopback when asked for", "127.0.0.1:1", "lo 127.0.0.1, eth0 10.0.0.5", "127.0.0.1"],
  ["one address as it is bound", "10.0.0.5:1", "eth0 10.0.0.5, wlan0 192.168.1.2", "10.0.0.5"],
  ["no bridge to containers", "0.0.0.0:1", "docker0 172.17.0.1, eth0 10.0.0.5", "10.0.0.5"],
  ["a bridge for want of others", "0.0.0.0:1", "lo 127.0.0.1, br-1 172.18.0.1", "172.18.0.1"],
  ["each family by its own", ":::1", "eth0 10.0.0.5, eth0 fd00::5", "fd00::5"],
  ["no link-local address", ":::1", "eth0 fe80::1, eth0 fd00::5", "fd00::5"],
  ["nothing twice", "10.0.0.5:1, 0.0.0.0:1", "eth0 10.0.0.5", "10.0.0.5"],
  ["nothing without interfaces", "0.0.0.0:1", "", ""],
];

for (const [name, listens, interfaces, told] of hosts) {
  test(`a host tells ${name}`, () => {
    const bound = list(listens).map((text) => {
      const colon = text.lastIndexOf(":");
      return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
    });
    const found = announcedAddresses(bound, list(interfaces).map(readInterface));
    assert.equal(found.map((address) => address.split("/")[2]).join(" "), told);
  });
}

test("at most eight addresses are told", () => {
  const many = Array.from({ length: 20 }, (_, index) =>
    readInterface(`eth${index} 10.0.0.${index}`),
  );
  assert.equal(announcedAddresses([{ host: "0.0.0.0", port: 1 }], many).length, 8);
});

test("where a peer called from, with the ports it told, is where it may be called", () => {
  const told = [
    "/ip4/10.0.0.1/tcp/7946",
    "/ip6/fd00::1/tcp/7946",
    "/ip4/10.0.0.1/tcp/8000",
    "junk",
  ];
  const seen = multiaddr("/ip4/203.0.113.9/tcp/53124");
  const guesses = ["/ip4/203.0.113.9/tcp/7946", "/ip4/203.0.113.9/tcp/8000"];
  assert.deepEqual(guessAddresses(seen, told), guesses);
  assert.deepEqual(guessAddresses(multiaddr("/dns4/a.example/tcp/1"), told), []);
});

function list(text: string): string[] {
  return text === "" ? [] : text.split(", ");
}

function readInterface(text: string): Interface {
  const [name, address] = text.split(" ") as [string, string];
  const family = address.includes(":") ? "IPv6" : "IPv4";
  return { name, family, address, internal: name === "lo" };
}
