/** A node leaves while people use what it serves: tasks move first, and nobody notices. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { ask, formMesh, newAgents, serving, untilWhole, webCompose } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(3);
const [first, second, third] = agents.nodes as [DemoNode, DemoNode, DemoNode];
const admin = new Person(agents, "person");
const service = "shop/web";
const replicas = 6;
let port = 0;

before(
  async () => {
    await formMesh(agents);
    port = await findPort(
      8080,
      agents.nodes.map(({ address }) => address),
    );
    await admin.shoal(["deploy", "-f", "-"], { via: first, input: webCompose(port, replicas) });
  },
  { timeout: 90_000 },
);
after(async () => await agents.close());

/** A person at each of these, one request after the other, until it is stopped. */
class Visitors {
  readonly failures: string[] = [];
  answers = 0;
  #stopped = false;
  readonly #visits: Promise<void>[];

  constructor(nodes: readonly DemoNode[]) {
    this.#visits = nodes.map((node) => this.#visit(node));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#visits);
  }

  async #visit(node: DemoNode): Promise<void> {
    while (!this.#stopped) {
      try {
        assert.match(await ask(node, port), /^v1 \d on node\d$/m);
        this.answers += 1;
      } catch (error) {
        this.failures.push(`${node.name}: ${error}`);
      }
      await turn();
    }
  }
}

test("leaving asks first, and does nothing unless it is answered", async () => {
  const { code, err } = await admin.try(["leave", "--data", third.data]);
  assert.equal(code, 1);
  assert.match(err, /nothing was changed \(--yes answers the question beforehand\)/);
  assert.equal((await agents.view(first)).nodes.length, 3);
});

test("tasks move away before it goes, and no request through the others fails", async (t) => {
  const there = serving(await agents.view(first), service).filter(({ nodeName }) => {
    return nodeName === third.name;
  });
  assert.ok(there.length > 0, "it has something to lose");
  const visitors = new Visitors([first, second]);
  const startMs = performance.now();
  const answer = await admin.shoal(["leave", "--yes", "--data", third.data]);
  const tookMs = Math.round(performance.now() - startMs);
  assert.match(answer, /^left mesh demo$/m);
  await until(() => agents.pidsOf(third).length === 0, 10_000, "the end of its processes");
  await until(
    async () => serving(await agents.view(second), service).length === replicas,
    10_000,
    "all replicas on the others",
  );
  await visitors.stop();
  t.diagnostic(`left in ${tookMs} ms; ${visitors.answers} answers meanwhile`);
  assert.deepEqual(visitors.failures, []);
  assert.ok(visitors.answers > 100);
});

test("its state is gone, and the others show one node less", async () => {
  assert.equal(existsSync(third.data), false);
  await untilWhole(agents, [first, second]);
  for (const node of [first, second]) {
    const { nodes, problems } = await agents.view(node);
    assert.deepEqual([nodes.length, problems], [2, []]);
    assert.doesNotMatch(await admin.shoal(["node", "ls"], { via: node }), /node3/);
  }
});

test("the machine can join again, as a new node", async () => {
  await agents.start(third, await admin.shoal(["invite"], { via: second }));
  await untilWhole(agents, agents.nodes);
  await admin.shoal(["service", "scale", "web=9"], { via: third });
  await until(
    async () =>
      serving(await agents.view(first), service).some((task) => {
        return task.nodeName === third.name;
      }),
    20_000,
    "a task on it",
  );
});

test("the last node that leaves ends its mesh", async () => {
  const alone = newAgents(1);
  const [only] = alone.nodes as [DemoNode];
  try {
    await alone.start(only);
    const founder = new Person(alone, "person");
    await founder.shoal(["leave", "--yes", "--data", only.data]);
    await until(() => alone.pidsOf(only).length === 0, 10_000, "its end");
    assert.equal(existsSync(only.data), false);
    const { code, err } = await founder.try(["status"]);
    assert.equal(code, 1);
    assert.match(err, /no agent answers|cannot reach/);
  } finally {
    await alone.close();
  }
});
