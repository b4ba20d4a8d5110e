import assert from "node:assert/strict";
import { BlockList, isIP, isIPv4 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  contains,
  formatAddress,
  isLoopback,
  parseAddress,
  parseNetwork,
  readReverseName,
} from "../../dns/address.ts";
import { formatPlace, parsePlace, readResolvConf } from "../../dns/place.ts";

/** Text that is nearly an address. */
const nearly = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.stringMatching(/^[0-9a-f:.]{0,24}$/),
  fc.tuple(fc.ipV6(), fc.ipV4()).map(([six, four]) => `${six.slice(0, 12)}:${four}`),
);

test("what is an address is what Node's own parser says", () => {
  fc.assert(
    fc.property(nearly, (text) => {
      assert.equal(parseAddress(text) !== undefined, isIP(text) !== 0, text);
    }),
    { numRuns: 2000 },
  );
});

test("an address written and read again is the same", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const bytes = parseAddress(text) as Uint8Array;
      assert.deepEqual(parseAddress(formatAddress(bytes)), bytes);
      assert.equal(bytes.length === 4, isIPv4(formatAddress(bytes)));
    }),
  );
});

test("networks contain what Node's BlockList says", () => {
  const address = fc.tuple(fc.constantFrom(10, 11), fc.nat(255), fc.nat(255), fc.nat(255));
  fc.assert(
    fc.property(address, address, fc.nat(32), (network, inside, prefix) => {
      const twin = new BlockList();
      twin.addSubnet(network.join("."), prefix, "ipv4");
      const ours = parseNetwork(`${network.join(".")}/${prefix}`);
      assert.ok(ours !== undefined);
      const bytes = parseAddress(inside.join(".")) as Uint8Array;
      assert.equal(contains(ours, bytes), twin.check(inside.join("."), "ipv4"));
    }),
  );
});

const networks: [network: string, address: string, isInside: boolean][] = [
  ["fc00::/7", "fd12::1", true],
  ["fc00::/7", "fe80::1", false],
  ["fe80::/10", "fe80::1%eth0", true],
  ["10.0.0.0/8", "::ffff:10.1.2.3", true],
  ["10.0.0.0/8", "fd00::1", false],
  ["10.0.0.1", "10.0.0.1", true],
  ["10.0.0.1", "10.0.0.2", false],
];

for (const [network, address, isInside] of networks) {
  test(`${address} is ${isInside ? "" : "not "}in ${network}`, () => {
    const parsed = parseNetwork(network);
    assert.ok(parsed !== undefined);
    assert.equal(contains(parsed, parseAddress(address) as Uint8Array), isInside);
  });
}

test("what is no network is none", () => {
  for (const text of ["", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/9", "web/8", "fd00::/129"]) {
    assert.equal(parseNetwork(text), undefined, text);
  }
});

test("loopback is all of 127 and ::1", () => {
  const cases = { "127.0.0.1": true, "127.9.9.9": true, "::1": true, "10.0.0.1": false };
  for (const [text, expected] of Object.entries({ ...cases, "::2": false, "1::1": false })) {
    assert.equal(isLoopback(parseAddress(text) as Uint8Array), expected, text);
  }
});

const reverse: [name: string, address: string | undefined][] = [
  ["52.0.1.10.in-addr.arpa", "10.1.0.52"],
  // RFC 3596 section 2.5 has this very address.
  [
    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
    "4321:0:1:2:3:4:567:89ab",
  ],
  ["0.1.10.in-addr.arpa", undefined],
  ["1.52.0.1.10.in-addr.arpa", undefined],
  ["052.0.1.10.in-addr.arpa", undefined],
  ["256.0.1.10.in-addr.arpa", undefined],
  ["in-addr.arpa", undefined],
  ["arpa", undefined],
  ["1.ip6.arpa", undefined],
  [`${"g.".repeat(32)}ip6.arpa`, undefined],
  [`${"00.".repeat(16)}ip6.arpa`, undefined],
  ["1.0.0.10.e164.arpa", undefined],
];

for (const [name, address] of reverse) {
  test(`${name} stands for ${address ?? "no address"}`, () => {
    assert.equal(readReverseName(name.split(".")), address);
  });
}

const places: [text: string, place: string | undefined][] = [
  ["127.0.0.1:5353", "127.0.0.1:5353"],
  ["127.0.0.1", "127.0.0.1:53"],
  ["[::1]:5353", "[::1]:5353"],
  ["[fe80::1%eth0]:53", "[fe80::1%eth0]:53"],
  ["fd00::1", "[fd00::1]:53"],
  ["[fd00::1]", "[fd00::1]:53"],
  ["127.0.0.1:65536", undefined],
  ["localhost:53", undefined],
  [":53", undefined],
  ["", undefined],
  ["127.0.0.1:", undefined],
];

for (const [text, expected] of places) {
  test(`"${text}" is ${expected ?? "no place"}`, () => {
    const place = parsePlace(text);
    assert.equal(place && formatPlace(place), expected);
  });
}

test("resolv.conf is read as glibc does: comments, other options, three servers", () => {
  const text = `# nameserver 1.1.1.1
; nameserver 1.1.1.2
search lan
nameserver 10.0.0.1
  nameserver\tfd00::1 # ours
nameserver nonsense
nameserver fe80::1%eth0
nameserver 10.0.0.4
options ndots:2`;
  const places = readResolvConf(text).map(formatPlace);
  assert.deepEqual(places, ["10.0.0.1:53", "[fd00::1]:53", "[fe80::1%eth0]:53"]);
});
