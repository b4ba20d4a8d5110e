/** Probing over UDP and real links, where a relay stands for the firewall that UDP has to pass. */

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { suite, type TestContext, test } from "node:test";
import { fallbackTimes } from "../../link/fallback-watch.ts";
import { until } from "../until.ts";
import { type Far, type Probed, probedProcess, type Said, says, target } from "./probed-nodes.ts";

/** Passes datagrams on to a port and back while it is open. */
async function openFirewall(t: TestContext, to: number) {
  const outside = createSocket("udp4").bind(0, "127.0.0.1");
  await once(outside, "listening");
  t.after(() => outside.close());
  const firewall = { port: outside.address().port, isOpen: false, stopped: 0 };
  let from = 0;
  outside.on("message", (datagram, { port }) => {
    if (port !== to) from = port;
    if (firewall.isOpen) outside.send(datagram, port === to ? from : to, "127.0.0.1");
    else firewall.stopped++;
  });
  return firewall;
}

const states = ({ said }: Probed) => [...new Set(said.map(({ state }) => state))];

// They wait for each other's deaths: all at once.
suite("probing over UDP and links", { concurrency: true }, () => {
  test("a member that UDP does not reach is reachable; its death is seen in 2 to 3.5 s", async (t) => {
    const [near, far] = await probedProcess(t);
    const firewall = await openFirewall(t, far.port);
    near.probes.observe([target(far, firewall.port)]);
    await says(near, "reachable");
    // UDP goes on being tried, in vain; the verdict is repeated meanwhile.
    await until(() => firewall.stopped > 15 && near.said.length > 1, 15_000, "UDP being tried");
    assert.deepEqual(states(near), ["reachable"]);
    const { rttMs } = near.said.at(-1) as Said;
    assert.ok(rttMs > 0 && rttMs < 500, `${rttMs} ms`);
    const tookMs = await timeToDeath(near, far);
    const { turnMs, missesMax } = fallbackTimes;
    assert.ok(tookMs > (missesMax - 1) * turnMs && tookMs < 3_500, `${tookMs} ms`);
    far.child.kill("SIGCONT");
    await says(near, "reachable");
  });

  test("a firewall that closes is a doubt, no death; when it opens UDP takes over", async (t) => {
    const [near, far] = await probedProcess(t);
    const firewall = await openFirewall(t, far.port);
    firewall.isOpen = true;
    near.probes.observe([target(far, firewall.port)]);
    await says(near, "reachable");
    assert.equal(near.probes.stats().streams.asked, 0);
    firewall.isOpen = false;
    const find = (state: string) => near.said.findLast((one) => one.state === state);
    const doubt = await until(() => find("unreachable"), 5_000, "a doubt");
    const { atMs } = await says(near, "reachable");
    const backMs = atMs - doubt.atMs;
    assert.ok(backMs < 1_000, `${backMs} ms in doubt`);
    firewall.isOpen = true;
    await until(() => areLeftAlone(near), 15_000, "streams being left alone");
    const tookMs = await timeToDeath(near, far);
    assert.ok(tookMs < 1_500, `${tookMs} ms`);
  });

  test("a host that dies where UDP worked is seen by UDP, though its link looks up", async (t) => {
    const [near, far] = await probedProcess(t);
    near.probes.observe([target(far, far.port)]);
    await says(near, "reachable");
    const tookMs = await timeToDeath(near, far);
    assert.ok(tookMs < 1_500, `${tookMs} ms`);
    await until(() => near.probes.stats().streams.asked > 1, 8_000, "the stream being asked, too");
    assert.ok(near.node.link.linked().includes(far.id));
    assert.equal(near.said.at(-1)?.state, "unreachable");
  });

  test("a process that is killed is seen within 2 s where only streams get through", async (t) => {
    const [near, far] = await probedProcess(t);
    near.probes.observe([target(far, 0)]);
    await says(near, "reachable");
    const tookMs = await timeToDeath(near, far, "SIGKILL");
    assert.ok(tookMs < 2_000, `${tookMs} ms`);
  });
});

async function timeToDeath(
  near: Probed,
  far: Far,
  signal: "SIGSTOP" | "SIGKILL" = "SIGSTOP",
): Promise<number> {
  const endMs = performance.now();
  far.child.kill(signal);
  const { atMs } = await says(near, "unreachable");
  return atMs - endMs;
}

/** No stream has been asked for some turns. */
const quiet = { asked: 0, sinceMs: 0 };
function areLeftAlone({ probes }: Probed): boolean {
  const { asked } = probes.stats().streams;
  if (asked !== quiet.asked) Object.assign(quiet, { asked, sinceMs: performance.now() });
  return asked > 0 && performance.now() - quiet.sinceMs > 3 * fallbackTimes.turnMs;
}
