/** Removing a node that lives: it stops, says why, and stays out until it is invited anew. */

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { ask, formMesh, newAgents, serving, untilWhole, webCompose } from "./agents.ts";
import { Person, type Said } from "./person.ts";

const agents = newAgents(3);
const [first, second, third] = agents.nodes as [DemoNode, DemoNode, DemoNode];
const admin = new Person(agents, "person");
const service = "shop/web";
const replicas = 3;
let port = 0;
let foreground: Promise<Said>;

before(
  async () => {
    await formMesh(agents);
    const addresses = agents.nodes.map(({ address }) => address);
    port = await findPort(8080, addresses);
    const saying = { via: first, input: webCompose(port, replicas) };
    await admin.shoal(["deploy", "-f", "-"], saying);
    // From here on in the foreground, as under systemd, so that its exit code is seen.
    for (const pid of agents.agentPids(third)) process.kill(pid, "SIGTERM");
    await until(() => agents.agentPids(third).length === 0, 15_000, "its end");
    foreground = admin.try(words("up", third));
    await untilWhole(agents, agents.nodes);
  },
  { timeout: 90_000 },
);
after(async () => await agents.close());

function words(verb: string, { address, data, name }: DemoNode): string[] {
  const listen = ["--listen", `/ip4/${address}/tcp/7946`, "--dns", `${address}:7953`];
  return [verb, ...listen, "--data", data, "--node-name", name, "--engine", "process"];
}

test("a live node is removed only by force, and then stops its tasks and ends with 1", async () => {
  const before = serving(await agents.view(first), service);
  assert.ok(before.some(({ node }) => node === before[0]?.node));
  const said = await admin.try(["node", "rm", "node3", "--yes"], { via: first });
  assert.equal(said.code, 2);
  assert.match(said.err, /node3: is alive: run `shoal leave` there, stop it, or use --force/);
  await admin.shoal(["node", "rm", "node3", "--yes", "--force"], { via: first });
  const { code, err, out } = await foreground;
  assert.equal(code, 1, `${err}${out}`);
  assert.match(`${err}${out}`, /was removed from the mesh/);
  assert.deepEqual(agents.pidsOf(third), [], "its tasks are gone");
});

test("the others go on with one node less and run everything", async () => {
  await untilWhole(agents, [first, second]);
  for (const node of [first, second]) {
    await until(
      async () => {
        const view = await agents.view(node);
        return view.nodes.length === 2 && serving(view, service).length === replicas;
      },
      30_000,
      "all replicas on two nodes",
    );
    assert.match(await ask(node, port), /^v1 /);
  }
});

test("it is told so when it is started again, with an invite or without", async () => {
  const up = await admin.try([...words("up", third), "--detach"]);
  assert.equal(up.code, 1, up.err);
  assert.match(up.err, /was removed from the mesh.*`shoal leave --force`/);
  const token = (await admin.shoal(["invite"], { via: first })).trim();
  const [, ...rest] = words("join", third);
  const { code, problems } = await admin.problems(["join", token, ...rest, "--detach"]);
  assert.equal(code, 1);
  assert.deepEqual(
    problems.map((problem) => problem.code),
    ["node-revoked"],
  );
  assert.equal((await agents.view(first)).nodes.length, 2);
});

test("with its key it stays out although the rest of its directory is gone", async () => {
  for (const file of ["mesh.json", "keepsake", "state.db", "state.db-wal"]) {
    await rm(join(third.data, file), { force: true });
  }
  const token = (await admin.shoal(["invite"], { via: first })).trim();
  const [, ...rest] = words("join", third);
  const said = await admin.try(["join", token, ...rest, "--detach"]);
  assert.equal(said.code, 1);
  assert.match(said.err, /was removed from the mesh/);
});

test("without its state it is a new machine, and joins by a new invite", async () => {
  const said = await admin.try(["leave", "--data", third.data, "--yes"]);
  assert.equal(said.code, 1);
  assert.match(said.err, /holds no node/);
  await rm(third.data, { recursive: true });
  await agents.start(third, await admin.shoal(["invite"], { via: second }));
  await untilWhole(agents, agents.nodes);
  assert.equal((await agents.view(first)).nodes.length, 3);
});

test("removed while it was away, it hears of it, stops its tasks, and ends with 1", async () => {
  const mine = async () => {
    return serving(await agents.view(first), service).some(({ nodeName }) => nodeName === "node3");
  };
  await admin.shoal(["service", "scale", "web=9"], { via: first });
  await until(mine, 20_000, "a task on node3");
  // Its tasks run on: that is what an agent's death means to them.
  for (const pid of agents.agentPids(third)) process.kill(pid, "SIGKILL");
  await until(
    async () => (await agents.view(first)).nodes.some(({ status }) => status === "down"),
    20_000,
    "a node that is down",
  );
  assert.ok(agents.pidsOf(third).length > 0);
  await admin.shoal(["node", "rm", "node3", "--yes"], { via: first });
  const { code, err, out } = await admin.try(words("up", third));
  assert.equal(code, 1, `${err}${out}`);
  assert.match(`${err}${out}`, /was removed from the mesh/);
  assert.deepEqual(agents.pidsOf(third), []);
});

test("shoal leave --force clears it for a new invite", async () => {
  await admin.shoal(["leave", "--force", "--yes", "--data", third.data]);
  await agents.start(third, await admin.shoal(["invite"], { via: second }));
  await untilWhole(agents, agents.nodes);
});
