/** An agent is killed again and again while people write through it: it forgets nothing it took. */

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { cpSync, existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { ask, formMesh, newAgents, serving, untilWhole, webCompose } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(2);
const [peer, victim] = agents.nodes as [DemoNode, DemoNode];
const admin = new Person(agents, "person");
const steady = "shop/web";
const replicas = 4;
const kills = 20;
/** After so many writes at most, and so long after the last, ms: a write takes about 200. */
const writesMax = 3;
const restMsMax = 300;
let port = 0;
let steadyTasks: ReadonlySet<string> = new Set();

before(
  async () => {
    await formMesh(agents);
    port = await findPort(8080, [peer.address, victim.address]);
    await admin.shoal(["deploy", "-f", "-"], { via: peer, input: webCompose(port, replicas) });
    const job =
      "name: jobs\nservices:\n  a: { command: [sleep, '9'], x-shoal: { engine: process } }\n";
    await admin.shoal(["deploy", "-f", "-", "--detach"], { via: peer, input: job });
    await admin.shoal(["service", "scale", "jobs/a=0"], { via: peer });
  },
  { timeout: 90_000 },
);
after(async () => await agents.close());

type Written = { readonly revisions: readonly string[] };

/** Two people who write through the victim for as long as it lives; what was acknowledged. */
class Writers {
  readonly acknowledged: string[] = [];
  refused = 0;
  #count = 0;

  async untilItDies(): Promise<void> {
    await Promise.all([
      this.#writeOn(() => ["service", "update", "jobs/a", "--label-add", `n=${++this.#count}`]),
      // Past what runs: nothing is started or stopped for it.
      this.#writeOn(() => ["node", "update", "node1", "--label-add", `n=${++this.#count}`]),
    ]);
  }

  async #writeOn(words: () => string[]): Promise<void> {
    for (;;) {
      const args = [...words(), "--detach", "--format", "json"];
      const { code, out } = await admin.try(args, { via: victim });
      if (code === 0) this.acknowledged.push(...(JSON.parse(out) as Written).revisions);
      else this.refused += 1;
      if (agents.agentPids(victim).length === 0) return;
    }
  }
}

/** What stands on the victim's own disk, whatever its peer may have. Read from a copy. */
function onDisk(): Set<string> {
  const copy = mkdtempSync(join(agents.directory, "copy-"));
  for (const file of ["state.db", "state.db-wal"]) {
    const path = join(victim.data, file);
    if (existsSync(path)) cpSync(path, join(copy, file));
  }
  const database = new DatabaseSync(join(copy, "state.db"));
  const rows = database.prepare("select key from revision").all();
  database.close();
  return new Set(rows.map(({ key }) => String(key)));
}

function runningTasks(): number[] {
  const own = agents.agentPids(victim);
  return agents.pidsOf(victim).filter((pid) => !own.includes(pid));
}

test("killed twenty times amid writes, it loses none and restarts no task", async (t) => {
  const tasks = runningTasks();
  assert.ok(tasks.length > 0);
  steadyTasks = new Set(serving(await agents.view(peer), steady).map(({ task }) => task));
  assert.equal(steadyTasks.size, replicas);
  const writers = new Writers();
  let checked = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const before = writers.acknowledged.length;
    const wanted = before + randomInt(writesMax + 1);
    const writing = writers.untilItDies();
    await until(() => writers.acknowledged.length >= wanted, 20_000, "its writes");
    const atMs = performance.now() + randomInt(restMsMax);
    await until(() => performance.now() >= atMs, 2 * restMsMax, "its time");
    for (const pid of agents.agentPids(victim)) process.kill(pid, "SIGKILL");
    await until(() => agents.agentPids(victim).length === 0, 5_000, "its death");
    await writing;
    const fresh = writers.acknowledged.slice(before);
    const disk = onDisk();
    // The best ten of a document are kept: no life is long enough for more.
    assert.ok(fresh.length <= 10, `${fresh.length} writes`);
    for (const revision of fresh) assert.ok(disk.has(revision), `${revision} after kill ${kill}`);
    checked += fresh.length;
    assert.deepEqual(runningTasks(), tasks, `after kill ${kill}`);
    await agents.start(victim);
  }
  t.diagnostic(`${checked} writes acknowledged in ${kills} lives, ${writers.refused} not`);
  assert.ok(checked > 0);
});

test("afterwards both are one mesh, trust each other, and serve as before", async () => {
  await untilWhole(agents, [peer, victim]);
  for (const node of agents.nodes) {
    await until(
      async () => serving(await agents.view(node), steady).length === replicas,
      20_000,
      `all replicas as ${node.name} sees them`,
    );
    const { problems } = await agents.view(node);
    assert.deepEqual(problems, []);
    assert.match(await ask(node, port), /^v1 /);
  }
  const now = serving(await agents.view(victim), steady).map(({ task }) => task);
  assert.deepEqual(new Set(now), steadyTasks, "the same tasks on both");
});
