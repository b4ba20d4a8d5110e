/** Tasks that crash, tasks that are never healthy, and versions that do not work. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import type { ServiceView } from "../../model/view.ts";
import { until } from "../until.ts";
import { ask, formMesh, newAgents, serving, webCompose } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(2);
const [first, second] = agents.nodes as [DemoNode, DemoNode];
const admin = new Person(agents, "person");
const web = "shop/web";
const replicas = 2;
let port = 0;

before(
  async () => {
    await formMesh(agents);
    port = await findPort(8080, [first.address, second.address]);
  },
  { timeout: 60_000 },
);
after(async () => await agents.close());

async function serviceAt(node: DemoNode, name: string): Promise<ServiceView> {
  const found = (await agents.view(node)).services.find(({ service }) => service === name);
  assert.ok(found !== undefined, `no ${name}`);
  return found;
}

/** Compose's own 5 s between tries would make this slow. */
const quick = "    deploy: { restart_policy: { delay: 500ms } }\n";

function crashing(name: string, script: string, more = ""): string {
  return `
name: shop
services:
  ${name}:
    command: ["sh", "-c", ${JSON.stringify(script)}]
    x-shoal: { engine: process }
${more}`;
}

test("a task that crashes again and again is named, tried less often, and leaves a log", async () => {
  const input = crashing("job", "echo one more time; echo it went wrong >&2; exit 3", quick);
  await admin.shoal(["deploy", "-f", "-", "--detach"], { via: first, input });
  const problem = await until(
    async () => {
      const { problems } = await serviceAt(second, "shop/job");
      return problems.find((one) => one.code === "task-crash-looping" && one.failures >= 3);
    },
    20_000,
    "three failures",
  );
  assert.ok(problem.code === "task-crash-looping");
  assert.match(problem.detail, /^exited with code 3$/);
  const said = await admin.shoal(["logs", "job"], { via: second });
  assert.match(said, /it went wrong/);
  assert.match(await admin.shoal(["status"], { via: first }), /started less and less often/);
  const { code, err } = await admin.try(["deploy", "-f", "-", "--timeout", "1s"], {
    via: first,
    input,
  });
  assert.equal(code, 1);
  assert.match(err, /shop\/job\.1 failed \d+ times in a row/);
});

test("the waits between its tries grow", async () => {
  const tried = await until(
    async () => {
      const { tasks } = await agents.view(first);
      const failed = tasks.filter(({ service, state }) => {
        return service === "shop/job" && state === "failed";
      });
      const atMs = failed.map(({ createdAtMs }) => createdAtMs).sort((a, b) => a - b);
      return failed.some(({ failures }) => failures >= 4) && atMs.length >= 3 ? atMs : undefined;
    },
    30_000,
    "four failures",
  );
  const gaps = tried.slice(1).map((atMs, index) => atMs - (tried[index] as number));
  const [before = 0, last = 0] = gaps.slice(-2);
  assert.ok(last > 1.5 * before, `waited ${gaps.join(", ")} ms`);
  await admin.shoal(["service", "rm", "job", "--yes"], { via: first });
});

test("a task whose health check fails is stopped, said to be unhealthy, and tried anew", async () => {
  const more = `    healthcheck:
      test: ["CMD", "false"]
      interval: 300ms
      retries: 2
${quick}`;
  const input = crashing("sick", "sleep 1000", more);
  const { code, err } = await admin.try(["deploy", "-f", "-", "--timeout", "4s"], {
    via: second,
    input,
  });
  assert.equal(code, 1, err);
  assert.match(err, /shop\/sick {2}0\/1 ready/);
  assert.match(err, /shop\/sick\.1 failed \d+ times in a row.*its health check fails/);
  await admin.shoal(["service", "rm", "sick", "--yes"], { via: first });
});

const breaks = 'NODE_OPTIONS: "--no-such-flag"';

function version(action: string, environment: string): string {
  const update = `      update_config: { failure_action: ${action}, parallelism: 1, order: start-first }
    environment: { ${environment} }
`;
  return webCompose(port, replicas, update);
}

for (const action of ["pause", "rollback"] as const) {
  test(`a version that does not start is met with ${action}, and the old one serves on`, async () => {
    await admin.shoal(["deploy", "-f", "-"], {
      via: first,
      input: version(action, "VERSION: '1'"),
    });
    const before = new Set(serving(await agents.view(first), web).map(({ task }) => task));
    assert.equal(before.size, replicas, "nothing is left of what was before");
    const said = await admin.try(["deploy", "-f", "-"], {
      via: second,
      input: version(action, breaks),
    });
    assert.equal(said.code, 1, said.err);
    assert.match(
      said.err,
      action === "pause" ? /update paused: \d of 2 replicas failed/ : /rolled back: \d of 2/,
    );
    assert.match(said.err, /the update has stopped; not converged: shop\/web/);
    const state = action === "pause" ? "paused" : "rolled-back";
    for (const node of [first, second]) {
      await until(
        async () => (await serviceAt(node, web)).update.state === state,
        10_000,
        `${state} at ${node.name}`,
      );
      assert.match(await ask(node, port), /^v1 /);
    }
    const after = serving(await agents.view(first), web);
    assert.deepEqual(new Set(after.map(({ task }) => task)), before, "no task was given up for it");
    const status = await admin.shoal(["status"], { via: first });
    if (action === "pause") assert.match(status, /the update of shop\/web is paused: /);
  });

  test(`after ${action} a version that works is rolled out`, async () => {
    const input = version(action, "VERSION: '2'");
    await admin.shoal(["deploy", "-f", "-"], { via: first, input });
    for (const node of [first, second]) {
      assert.match(await ask(node, port), /^v2 /);
    }
    assert.deepEqual((await serviceAt(second, web)).problems, []);
  });
}
