/** An agent whose UDP port somebody else has: it runs, says so, and is seen to live and to die. */

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, test } from "node:test";
import type { DemoNode } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { formMesh, newAgents } from "./agents.ts";

const agents = newAgents(3);
const [first, second, deaf] = agents.nodes as [DemoNode, DemoNode, DemoNode];
const holder = createSocket("udp4");
after(async () => {
  holder.close();
  await agents.close();
});

test("a mesh with such an agent is whole, and notices its death", { timeout: 90_000 }, async () => {
  holder.bind(7946, deaf.address);
  await once(holder, "listening");
  await formMesh(agents);
  const { problems } = await agents.view(deaf);
  assert.deepEqual(
    problems.map((problem) => [problem.code, "protocol" in problem && problem.protocol]),
    [["port-in-use", "udp"]],
  );
  const seen = async (by: DemoNode, of: DemoNode) =>
    (await agents.view(by)).nodes.find(({ facts }) => facts?.name === of.name);
  // As observers they have reached it by now, and it them: there is a round trip.
  for (const [by, of] of [
    [first, deaf],
    [deaf, first],
  ] as const) {
    const reached = async () => ((await seen(by, of))?.rttMs ?? 0) > 0;
    await until(reached, 10_000, `${by.name} reaching ${of.name}`);
    assert.equal((await seen(by, of))?.status, "alive");
  }
  const endMs = performance.now();
  agents.kill(deaf);
  const isDown = async () => (await seen(second, deaf))?.status === "down";
  await until(isDown, 20_000, `${deaf.name} being down`);
  const tookMs = performance.now() - endMs;
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  assert.equal((await seen(second, first))?.status, "alive");
});
