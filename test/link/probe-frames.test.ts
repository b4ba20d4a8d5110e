import assert from "node:assert/strict";
import { createHash, createSecretKey } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { parseUdpAddress, udpAddressesOf, udpAddressText } from "../../link/probe-addresses.ts";
import {
  isProven,
  type ProbeFrame,
  ProbeSeal,
  probeFrameBytes,
  probeName,
} from "../../link/probe-frames.ts";
import { ProbePairs } from "../../link/probe-pairs.ts";
import { ProbeReplays } from "../../link/probe-replays.ts";
import type { NodeId } from "../../model/ids.ts";
import { identityFromSeed } from "../../trust/identity.ts";

const secret = new Uint8Array(32).fill(1);
let sessions = 0;
const session = () =>
  new Uint8Array(createHash("sha256").update(`${sessions++}`).digest()).slice(0, 8);
const seal = new ProbeSeal(secret, session);

const pairKey = createSecretKey(new Uint8Array(32).fill(3));

const name = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => hex(bytes));
const frame: fc.Arbitrary<ProbeFrame> = fc.record(
  {
    kind: fc.constantFrom("probe", "answer"),
    from: name,
    to: name,
    sequence: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    lagMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  },
  { noNullPrototype: true },
);
const one: ProbeFrame = {
  kind: "probe",
  from: hex(new Uint8Array(32).fill(4)),
  to: hex(new Uint8Array(32).fill(5)),
  sequence: 5,
  lagMs: 0,
};

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test("a frame is opened as it was sealed, and all are of one size", () => {
  const other = new ProbeSeal(secret, session);
  fc.assert(
    fc.property(frame, (sealed) => {
      const datagram = seal.seal(sealed, pairKey);
      assert.equal(datagram.length, probeFrameBytes);
      const opened = other.open(datagram) ?? assert.fail();
      const { kind, from, to, sequence, lagMs } = opened;
      assert.deepEqual({ kind, from, to, sequence, lagMs }, sealed);
      assert.ok(isProven(opened, pairKey));
      assert.ok(!isProven(opened, createSecretKey(new Uint8Array(32))));
    }),
  );
});

test("a lag beyond the field is the longest there is", () => {
  assert.equal(seal.open(seal.seal({ ...one, lagMs: 1e12 }, pairKey))?.lagMs, 2 ** 32 - 1);
  assert.equal(seal.open(seal.seal({ ...one, lagMs: -1 }, pairKey))?.lagMs, 0);
});

test("one changed bit anywhere is refused", () => {
  const datagram = seal.seal(one, pairKey);
  for (let bit = 0; bit < datagram.length * 8; bit++) {
    const changed = Uint8Array.from(datagram);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.equal(seal.open(changed), undefined, `bit ${bit}`);
  }
});

test("another mesh's frames, cut ones and rubbish are refused", () => {
  const stranger = new ProbeSeal(new Uint8Array(32).fill(2), session);
  assert.equal(seal.open(stranger.seal(one, pairKey)), undefined);
  const datagram = seal.seal(one, pairKey);
  for (let size = 0; size < datagram.length; size++) {
    assert.equal(seal.open(datagram.subarray(0, size)), undefined);
  }
  assert.equal(seal.open(Buffer.concat([datagram, Buffer.from([0])])), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => seal.open(bytes) === undefined),
  );
});

test("a proof is good for its own datagram alone", () => {
  const [left, right] = [one, { ...one, lagMs: 1 }].map((frame) => {
    return seal.open(seal.seal(frame, pairKey)) ?? assert.fail();
  }) as [ReturnType<typeof seal.open> & object, ReturnType<typeof seal.open> & object];
  assert.ok(!isProven({ ...left, proof: right.proof }, pairKey));
  const again = seal.open(seal.seal(one, pairKey)) ?? assert.fail();
  assert.ok(!isProven({ ...left, proof: again.proof }, pairKey), "the nonce is part of it");
});

test("a node is named by its key, and what is no node's id has no name", () => {
  const { id, publicKey } = identityFromSeed(secret);
  assert.equal(probeName(id as NodeId), hex(publicKey));
  assert.equal(probeName("near" as NodeId), undefined);
});

test("keys are made once, for strangers a hundred a second, and forgotten in order of use", () => {
  const made: string[] = [];
  const pairs = new ProbePairs((publicKey) => {
    made.push(hex(publicKey));
    return publicKey[0] === 0xff ? undefined : createSecretKey(publicKey);
  });
  const nameOf = (number: number) => number.toString(16).padStart(64, "0");
  assert.equal(pairs.of(nameOf(1))?.export().toString("hex"), nameOf(1));
  pairs.of(nameOf(1));
  assert.equal(pairs.of("ff".repeat(32)), undefined);
  pairs.of("ff".repeat(32));
  assert.equal(made.length, 2, "what is no key is remembered as well");
  const known = Array.from({ length: 250 }, (_, index) => nameOf(1_000 + index));
  const got = () => known.filter((stranger) => pairs.ofStranger(stranger, 5_000) !== undefined);
  assert.equal(got().length, 100);
  assert.equal(got().length, 100, "those that were made are kept");
  assert.ok(pairs.ofStranger(nameOf(9_999), 6_000) !== undefined);
  made.length = 0;
  for (let number = 0; number < 1_023; number++) pairs.of(nameOf(20_000 + number));
  pairs.of(nameOf(9_999));
  assert.equal(made.length, 1_023);
  pairs.of(nameOf(1));
  assert.equal(made.length, 1_024, "the first was forgotten");
});

test("no two datagrams share a nonce, not even those of two starts", () => {
  const again = new ProbeSeal(secret, session);
  const datagrams = Array.from({ length: 1_000 }, (_, index) =>
    (index % 2 ? seal : again).seal(one, pairKey),
  );
  const nonces = datagrams.map((bytes) => Buffer.from(bytes).toString("hex", 1, 13));
  assert.equal(new Set(nonces).size, nonces.length);
});

test("the window of repeats agrees with a plain set while datagrams come nearly in order", () => {
  const step = fc.tuple(fc.constantFrom("s", "t"), fc.integer({ min: -31, max: 40 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const replays = new ProbeReplays();
      const seen = new Set<string>();
      const highest = new Map<string, number>();
      for (const [name, move] of steps) {
        const from = highest.get(name) ?? 1_000;
        const count = from + move;
        highest.set(name, Math.max(from, count));
        const before = highest.has(name) && seen.has(`${name} ${count}`);
        // The first of a session opens its window: what is older has no place in it.
        if (![...seen].some((text) => text.startsWith(name))) highest.set(name, count);
        assert.equal(replays.accept(name, count), !before);
        seen.add(`${name} ${count}`);
      }
    }),
  );
});

test("what is far behind its session is refused, and sessions are forgotten in order of use", () => {
  const replays = new ProbeReplays();
  assert.ok(replays.accept("s", 100));
  assert.ok(!replays.accept("s", 68));
  assert.ok(replays.accept("s", 69));
  assert.ok(replays.accept("s", 2 ** 32 - 1));
  assert.ok(!replays.accept("s", 100));
  for (let index = 0; index < 1_023; index++) replays.accept(`other ${index}`, 1);
  assert.ok(!replays.accept("s", 2 ** 32 - 1), "still known");
  replays.accept("one more", 1);
  assert.ok(replays.accept("s", 2 ** 32 - 1), "forgotten");
});

const addresses: [multiaddr: string, udp: string[]][] = [
  ["/ip4/10.0.0.1/tcp/7946", ["/ip4/10.0.0.1/udp/99"]],
  ["/ip4/10.0.0.1/tcp/7946/p2p/12D3", ["/ip4/10.0.0.1/udp/99"]],
  ["/ip6/fd00::1/tcp/7946", ["/ip6/fd00::1/udp/99"]],
  ["/ip4/10.0.0.1", ["/ip4/10.0.0.1/udp/99"]],
  ["/ip4/256.0.0.1/tcp/1", []],
  ["/ip4/10.0.0/tcp/1", []],
  ["/ip4/10.0.0.1.5/tcp/1", []],
  ["/ip4/10.0.0.1./tcp/1", []],
  ["/ip6/10.0.0.1/tcp/1", []],
  ["/ip6/fe80::1%eth0/tcp/1", []],
  ["/dns4/host.example/tcp/1", []],
  ["/unix/run/x", []],
  ["", []],
];

for (const [multiaddr, udp] of addresses) {
  test(`"${multiaddr}" is probed at ${udp.join() || "no address"}`, () => {
    const node = "a" as NodeId;
    assert.deepEqual(udpAddressesOf({ node, addresses: [multiaddr, multiaddr], port: 99 }), udp);
  });
}

test("a sender's address is one that can be probed", () => {
  const cases: [host: string, text: string][] = [
    ["10.0.0.1", "/ip4/10.0.0.1/udp/5"],
    ["::ffff:10.0.0.1", "/ip4/10.0.0.1/udp/5"],
    ["fd00::1", "/ip6/fd00::1/udp/5"],
    ["fe80::1%eth0", "/ip6/fe80::1/udp/5"],
  ];
  for (const [host, text] of cases) {
    assert.equal(udpAddressText(host, 5), text);
    assert.equal(parseUdpAddress(text)?.port, 5);
  }
  assert.equal(parseUdpAddress("/ip4/10.0.0.1/udp/0"), undefined);
  assert.equal(parseUdpAddress("/ip4/10.0.0.1/udp/65536"), undefined);
});
