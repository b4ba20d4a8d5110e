/**
 * Scenes on a LAN of its own: run by test/link/lan.test.ts inside a fresh network namespace, where
 * addresses may come and go and multicast reaches nobody else. Prints what it measured.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { TestContext } from "node:test";
import { until } from "../until.ts";
import { admitAll, areLinked, deadlineMs, newPair, openNode, type TestNode } from "./links.ts";

const cleanups: (() => Promise<void> | void)[] = [];
/** As much of a test as opening nodes needs. */
const scene = { after: (cleanup: () => void) => cleanups.push(cleanup) } as unknown as TestContext;

function ip(command: string): void {
  execFileSync("ip", command.split(" "));
}

function lan(): void {
  ip("link set lo up");
  ip("link add lan0 type veth peer name lan1");
  ip("link set lan1 up");
  ip("link set lan0 up multicast on");
  ip("route add 224.0.0.0/4 dev lan0");
}

async function openTwo(mdns: boolean, listen: readonly [string, string]): Promise<TestNode[]> {
  const [low, high] = newPair();
  const one = await openNode(scene, { identity: low, mdns, listen: [listen[0]] });
  return [one, await openNode(scene, { identity: high, mdns, listen: [listen[1]] })];
}

const scenes: Readonly<Record<string, () => Promise<string>>> = {
  discovery: async () => {
    lan();
    ip("addr add 10.99.0.1/24 dev lan0");
    const wildcard = "/ip4/0.0.0.0/tcp/0";
    const nodes = await openTwo(true, [wildcard, wildcard]);
    const stranger = await openNode(scene, { mdns: true, listen: [wildcard] });
    admitAll(nodes);
    stranger.link.admit(new Set(nodes.map(({ id }) => id)));
    const begunMs = performance.now();
    // They know of each other, and not where.
    for (const { link } of nodes) {
      link.maintain(nodes.map(({ id }) => ({ node: id, addresses: [] })));
    }
    await until(() => areLinked(nodes), 15_000, "they find each other");
    assert.equal(stranger.link.counts().connections, 0);
    return `linked by multicast in ${Math.round(performance.now() - begunMs)} ms`;
  },

  moving: async () => {
    lan();
    ip("addr add 10.99.0.1/32 dev lan0");
    ip("addr add 10.99.0.2/32 dev lan0");
    const said: string[] = [];
    // The one listens where it stays, the other wherever its host is.
    const nodes = await openTwo(false, ["/ip4/10.99.0.1/tcp/0", "/ip4/0.0.0.0/tcp/0"]);
    const [stays, moves] = nodes as [TestNode, TestNode];
    admitAll(nodes);
    moves.link.onAddressesChanged((addresses) => said.push(addresses.join()));
    // Dialled at the address that goes away, so that the connection goes with it.
    const addresses = moves.link.listenAddresses().filter((one) => one.includes("10.99.0.2"));
    stays.link.maintain([{ node: moves.id, addresses }]);
    moves.link.maintain([{ node: stays.id, addresses: stays.link.listenAddresses() }]);
    await until(() => areLinked(nodes), deadlineMs, "linked");
    ip("addr del 10.99.0.2/32 dev lan0");
    ip("addr add 10.99.0.3/32 dev lan0");
    const begunMs = performance.now();
    const hears = (to: TestNode, from: TestNode) => {
      from.link.send(to.id, Uint8Array.of(1));
      return to.heard.length > 0;
    };
    for (const node of nodes) node.heard.length = 0;
    await until(
      () => [hears(stays, moves), hears(moves, stays)].every(Boolean) && said.length > 0,
      deadlineMs,
      "they hear each other again",
    );
    const tookMs = Math.round(performance.now() - begunMs);
    assert.match(said.at(-1) as string, /10\.99\.0\.3/);
    assert.doesNotMatch(said.at(-1) as string, /10\.99\.0\.2/);
    assert.ok(tookMs < 5_000, `${tookMs} ms`);
    return `heard again ${tookMs} ms after the move`;
  },

  healing: async () => {
    lan();
    ip("addr add 10.99.0.1/32 dev lan0");
    const nodes = await openTwo(false, ["/ip4/10.99.0.1/tcp/0", "/ip4/10.99.0.1/tcp/0"]);
    const [lower, higher] = nodes as [TestNode, TestNode];
    admitAll(nodes);
    const peers = nodes.map(({ id, link }) => ({ node: id, addresses: link.listenAddresses() }));
    // The address is gone from the host: nothing answers, as across a partition.
    ip("addr del 10.99.0.1/32 dev lan0");
    for (const { link } of nodes) link.maintain(peers);
    await until(() => lower.link.counts().dialsFailed > 4, 20_000, "it tries for a while");
    ip("addr add 10.99.0.1/32 dev lan0");
    const begunMs = performance.now();
    await until(() => areLinked([lower, higher]), deadlineMs, "linked once healed");
    const tookMs = Math.round(performance.now() - begunMs);
    assert.ok(tookMs < 2_500, `${tookMs} ms`);
    return `linked ${tookMs} ms after it healed`;
  },
};

const [, , wanted] = process.argv;
const play = scenes[wanted ?? ""];
if (play === undefined) throw new Error(`no scene called ${wanted}`);
try {
  console.log(await play());
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}
