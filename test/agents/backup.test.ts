/** A mesh is backed up, restored into what is left of it, and brought back when nothing is left. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { ask, newAgents, serving, untilWhole, webCompose } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(5);
const [first, second, third, fourth, fifth] = agents.nodes as [
  DemoNode,
  DemoNode,
  DemoNode,
  DemoNode,
  DemoNode,
];
const founders = [first, second, third];
const admin = new Person(agents, "person");
const operator = new Person(agents, "operator");
const file = join(agents.directory, "demo.backup");
const service = "shop/web";
let port = 0;
let history = "";

function job(name: string): string {
  return `
name: ${name}
services:
  a: { command: [sleep, '600'], x-shoal: { engine: process } }
`;
}

function restoring(node: DemoNode, from = file, ...more: readonly string[]): string[] {
  return ["restore", "--detach", ...more, ...agents.words(node), from];
}

async function untilServing(node: DemoNode, replicas: number): Promise<void> {
  await until(
    async () => serving(await agents.view(node), service).length === replicas,
    30_000,
    `${replicas} replicas as ${node.name} sees them`,
  );
}

async function names(node: DemoNode): Promise<string[]> {
  return (await agents.view(node)).services.map((one) => one.service).sort();
}

before(
  async () => {
    await agents.start(first);
    const token = await agents.shoal(["invite", "--uses", "2"]);
    for (const node of [second, third]) await agents.start(node, token);
    await untilWhole(agents, founders);
    const invite = await admin.shoal(["invite", "--role", "operator"]);
    await operator.shoal(["context", "add", "demo", "-"], { input: invite });
    port = await findPort(
      8080,
      agents.nodes.map(({ address }) => address),
    );
    const deploy = ["deploy", "-f", "-"];
    await admin.shoal(deploy, { input: webCompose(port, 3) });
    for (const name of ["gone", "later"])
      await operator.shoal([...deploy, "--detach"], { input: job(name) });
    await operator.shoal(["stack", "rm", "gone", "--yes"]);
    const update = ["service", "update", "--label-add", "x=1", "--detach", "later/a"];
    await operator.shoal(update);
    await operator.shoal(["service", "scale", `${service}=4`]);
    await untilWhole(agents, founders);
  },
  { timeout: 180_000 },
);
after(async () => await agents.close());

test("an admin takes a backup at any peer, into a file for nobody else", async () => {
  const said = await admin.shoal(["backup", file], { via: third });
  history = await admin.shoal(["service", "history", "later/a"]);
  assert.equal(history.trim().split("\n").length, 3, history);
  assert.match(said, /^mesh demo: 2 services, \d+ facts, \d+ revisions; .* in .*demo.backup\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const secret = JSON.parse(readFileSync(join(first.data, "mesh.json"), "utf8")).secret;
  const bytes = readFileSync(file);
  assert.ok(!bytes.includes(Buffer.from(secret, "base64")), "the mesh's secret is sealed");
  assert.ok(!bytes.includes("SHOAL_SLOT"), "and so are specs");
});

test("who is no admin gets no backup, and can do nothing with one", async () => {
  const own = join(agents.directory, "operator.backup");
  const { code, problems } = await operator.problems(["backup", own], { via: second });
  assert.equal(code, 1);
  assert.deepEqual(
    problems.map((one) => one.code),
    ["not-authorised"],
  );
  assert.ok(!existsSync(own));
  const restore = await operator.problems(restoring(fourth));
  assert.deepEqual([restore.code, restore.problems[0]?.code], [1, "backup-sealed"]);
  assert.ok(!existsSync(join(fourth.data, "mesh.json")));
});

test("a damaged file and a directory in use are refused, and nothing is begun", async () => {
  const broken = join(agents.directory, "broken.backup");
  writeFileSync(broken, readFileSync(file).subarray(0, -100));
  const damaged = await admin.problems(restoring(fourth, broken));
  assert.deepEqual([damaged.code, damaged.problems[0]?.code], [1, "backup-unreadable"]);
  const used = await admin.problems(restoring(second));
  assert.deepEqual(used.problems, [{ code: "already-member", mesh: "demo", path: second.data }]);
  assert.equal(agents.agentPids(fourth).length, 0);
});

test("nobody is taken out of a mesh that answers", async () => {
  const { problems } = await admin.problems(restoring(fourth, file, "--all-lost", "--yes"));
  assert.equal(problems[0]?.code, "mesh-alive");
  assert.equal((await agents.view(first)).nodes.length, 3);
});

test("restored into a living mesh, a node rolls nothing back", async () => {
  await operator.shoal(["stack", "rm", "later", "--yes"]);
  await operator.shoal(["service", "scale", `${service}=5`]);
  await operator.shoal(["deploy", "-f", "-"], { input: job("newer") });
  const said = await admin.try(restoring(fourth));
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /mesh demo answers at .*: what is there is merged, not replaced/);
  await untilWhole(agents, [...founders, fourth]);
  assert.deepEqual(await names(fourth), ["newer/a", service]);
  assert.deepEqual(await names(first), ["newer/a", service]);
  await untilServing(fourth, 5);
  assert.match(await ask(fourth, port), /^v1 /);
});

test("with every node lost, one of nothing but the backup is the mesh again", async () => {
  for (const node of [...founders, fourth]) {
    agents.kill(node);
    await until(() => agents.pidsOf(node).length === 0, 10_000, `the end of ${node.name}`);
  }
  for (const node of [...founders, fourth]) rmSync(node.data, { recursive: true });
  await admin.shoal(restoring(fifth, file, "--all-lost", "--yes"));
  await untilServing(fifth, 4);
  const view = await agents.view(fifth);
  assert.deepEqual(
    view.nodes.map(({ facts }) => facts?.name),
    ["node5"],
  );
  // As it was when the backup was taken.
  assert.deepEqual(await names(fifth), ["later/a", service]);
  assert.match(await ask(fifth, port), /^v1 /);
  assert.equal(await admin.shoal(["service", "history", "later/a"]), history);
});

test("a restored node that is killed at once is what it was", async () => {
  const { self } = await agents.view(fifth);
  for (const pid of agents.agentPids(fifth)) process.kill(pid, "SIGKILL");
  await until(() => agents.agentPids(fifth).length === 0, 5_000, "its death");
  await agents.start(fifth);
  await untilServing(fifth, 4);
  assert.equal((await agents.view(fifth)).self, self);
});

test("others join it by invite, and people talk to it as before", async () => {
  const token = await agents.shoal(["invite"]);
  await agents.start(first, token);
  await untilWhole(agents, [first, fifth]);
  await untilServing(first, 4);
  assert.match(await ask(first, port), /^v1 /);
  await operator.shoal(["service", "scale", `${service}=2`], { via: fifth });
  await untilServing(first, 2);
  assert.deepEqual((await agents.view(first)).problems, []);
});
