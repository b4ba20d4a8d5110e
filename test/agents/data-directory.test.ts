/** Data directories that are in use, damaged, too new, or no node's. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { ask, formMesh, newAgents, serving, untilWhole, webCompose } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(2);
const [first, second] = agents.nodes as [DemoNode, DemoNode];
const admin = new Person(agents, "person");
const service = "shop/web";
const replicas = 4;
const database = join(second.data, "state.db");
let port = 0;

before(
  async () => {
    await formMesh(agents);
    port = await findPort(8080, [first.address, second.address]);
    const saying = { via: first, input: webCompose(port, replicas) };
    await admin.shoal(["deploy", "-f", "-"], saying);
  },
  { timeout: 60_000 },
);
after(async () => await agents.close());

async function stop(node: DemoNode): Promise<void> {
  for (const pid of agents.agentPids(node)) process.kill(pid, "SIGTERM");
  await until(() => agents.agentPids(node).length === 0, 15_000, `the end of ${node.name}`);
}

/** Task → pid, of those that run on the second node. */
function running(): number[] {
  const own = agents.agentPids(second);
  return agents.pidsOf(second).filter((pid) => !own.includes(pid));
}

async function untilServing(): Promise<void> {
  await until(
    async () => serving(await agents.view(second), service).length === replicas,
    20_000,
    "all replicas as the second node sees them",
  );
}

const up = ["up", "--detach", ...agents.words(second)];

test("a directory that another agent uses is named with that agent's process", async () => {
  const [pid] = agents.agentPids(second);
  const elsewhere = ["--socket", join(agents.directory, "other.sock")];
  const { code, problems } = await admin.problems([...up, ...elsewhere]);
  assert.equal(code, 1);
  assert.deepEqual(problems, [
    { code: "data-directory-locked", path: second.data, holder: `process ${pid}` },
  ]);
  const said = await admin.try(up);
  assert.equal(said.code, 1);
  assert.match(said.err, /another agent \(it answers at .*\) uses .*: stop it, or choose another/);
  assert.deepEqual(agents.agentPids(second), [pid]);
});

test("a damaged database is set aside, filled from the peer, and no task is restarted", async () => {
  await untilServing();
  const tasks = running();
  assert.ok(tasks.length > 0, "some replicas run there");
  await stop(second);
  assert.deepEqual(running(), tasks, "tasks outlive their agent");
  const mesh = readFileSync(join(second.data, "mesh.json"), "utf8");
  const key = readFileSync(join(second.data, "node.key"));
  writeFileSync(database, Buffer.alloc(statSync(database).size, "garbage"));
  await admin.shoal(up);
  await untilWhole(agents, [first, second]);
  await untilServing();
  const { problems, nodes } = await agents.view(second);
  const [damage] = problems;
  assert.ok(damage?.code === "database-damaged");
  assert.equal(damage.path, database);
  assert.ok(statSync(damage.setAside).size > 0, "what was damaged is kept");
  assert.equal(nodes.length, 2);
  assert.deepEqual(running(), tasks, "adopted, none restarted");
  assert.equal(readFileSync(join(second.data, "mesh.json"), "utf8"), mesh);
  assert.deepEqual(readFileSync(join(second.data, "node.key")), key);
  assert.match(await ask(second, port), /^v1 /);
  assert.match(await admin.shoal(["status"], { via: second }), /was damaged and is set aside as/);
});

test("with the keepsake gone as well, an invite brings the node back with its key", async () => {
  const tasks = running();
  const { self } = await agents.view(second);
  await stop(second);
  writeFileSync(database, Buffer.alloc(statSync(database).size, "garbage"));
  rmSync(join(second.data, "keepsake"));
  const { code, problems } = await admin.problems(up);
  assert.equal(code, 1);
  assert.equal(problems[0]?.code, "file-unreadable");
  const said = await admin.try(up);
  assert.match(said.err, /keepsake: .*: ask for an invite.*`shoal join`/);
  const token = (await admin.shoal(["invite"], { via: first })).trim();
  await admin.shoal(["join", token, "--detach", ...agents.words(second)]);
  await untilWhole(agents, [first, second]);
  await untilServing();
  assert.equal((await agents.view(second)).self, self);
  assert.deepEqual(running(), tasks, "adopted, none restarted");
});

test("a keepsake alone is not missed", async () => {
  const tasks = running();
  await stop(second);
  rmSync(join(second.data, "keepsake"));
  await admin.shoal(up);
  await untilWhole(agents, [first, second]);
  assert.deepEqual(running(), tasks);
  await until(() => statSync(join(second.data, "keepsake")).size > 0, 5_000, "a new keepsake");
});

test("a database of a newer Shoal is left alone and named", async () => {
  await stop(second);
  const version = setVersion(99);
  const { code, problems } = await admin.problems(up);
  assert.equal(code, 1);
  const [problem] = problems;
  assert.ok(problem?.code === "schema-newer");
  assert.deepEqual([problem.path, problem.found], [database, 99]);
  assert.match((await admin.try(up)).err, /written by a newer Shoal \(schema 99.*upgrade/);
  setVersion(version);
  await admin.shoal(up);
  await untilWhole(agents, [first, second]);
});

/** The one before. */
function setVersion(version: number): number {
  const file = new DatabaseSync(database);
  const found = Number(file.prepare("pragma user_version").get()?.user_version);
  file.exec(`pragma user_version = ${version}`);
  file.close();
  return found;
}

test("a directory that holds no node is none to leave", async () => {
  const empty = join(agents.directory, "empty");
  mkdirSync(empty);
  const { code, problems } = await admin.problems(["leave", "--yes", "--data", empty]);
  assert.equal(code, 1);
  assert.deepEqual(problems, [{ code: "not-member", path: empty }]);
});

test("a file of this node's mesh that is no JSON is named, not replaced", async () => {
  await stop(second);
  const path = join(second.data, "mesh.json");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.slice(0, 20));
  const said = await admin.try(up);
  assert.equal(said.code, 1);
  assert.match(said.err, /cannot read .*mesh.json: it does not say which mesh/);
  assert.equal(readFileSync(path, "utf8"), text.slice(0, 20));
  writeFileSync(path, text);
  await admin.shoal(up);
  await untilWhole(agents, [first, second]);
});
