/** What hosts and networks do to a mesh: power cuts, cuts of cables, new addresses, two nodes. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TaskView } from "../../model/view.ts";
import { until } from "../until.ts";
import { Bed, onHosts } from "./bed.ts";
import type { Host } from "./host.ts";
import { Load } from "./load.ts";
import { BedMesh } from "./mesh.ts";
import { Operator } from "./operator.ts";

const bed = new Bed();
let mesh: BedMesh;
const service = "shop/web";
const label = `label=shoal.service=${service}`;
const port = 8080;
const replicas = 6;
const settledMsMax = 60_000;

const compose = `
name: shop
services:
  web:
    image: hello:1
    pull_policy: never
    stop_grace_period: 2s
    ports: ["${port}:80"]
    deploy:
      replicas: ${replicas}
`;

function url({ address }: Host): string {
  return `http://${address}:${port}/`;
}

async function serving(via: Host): Promise<TaskView[]> {
  const { tasks } = await mesh.view(via);
  return tasks.filter((task) => {
    return (
      task.service === service &&
      task.ready &&
      task.state === "running" &&
      task.standing === "current"
    );
  });
}

/** Container → when it was started, of those that run now. */
async function started(host: Host): Promise<Map<string, string>> {
  const ids = (await host.exec(["docker", "ps", "-q", "--filter", label]))
    .split("\n")
    .filter(Boolean);
  if (ids.length === 0) return new Map();
  const format = "{{.Id}} {{.State.StartedAt}}";
  const lines = (await host.exec(["docker", "inspect", "-f", format, ...ids])).trim().split("\n");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

async function startedAll(): Promise<Map<string, string>[]> {
  return await Promise.all(bed.hosts.map(started));
}

/** Wanted = running, everywhere the same, and not one container more. */
async function untilSettled(deadlineMs = settledMsMax): Promise<void> {
  await until(
    async () => {
      const views = await Promise.all(bed.hosts.map((host) => mesh.view(host)));
      if (new Set(views.map(({ digest }) => digest)).size !== 1) return false;
      const running = await startedAll();
      const count = running.reduce((sum, containers) => sum + containers.size, 0);
      return count === replicas && (await serving(bed.hosts[0] as Host)).length === replicas;
    },
    deadlineMs,
    "a settled mesh",
  );
}

/** Ms by the wall clock from now until the condition holds. */
async function time(condition: () => Promise<boolean>, deadlineMs: number, what: string) {
  const startMs = Date.now();
  await until(condition, deadlineMs, what);
  return Date.now() - startMs;
}

describe("failures of real hosts", onHosts, () => {
  before(
    async () => {
      await bed.up(3);
      mesh = await BedMesh.form(bed);
      await mesh.shoal(bed.hosts[0] as Host, ["deploy", "-f", "-"], compose);
      await untilSettled();
    },
    { timeout: 240_000 },
  );
  after(async () => await bed.down(), { timeout: 60_000 });

  test("a cable pulled for 8 s restarts no container that was healthy throughout", async () => {
    const before = await startedAll();
    await bed.lan.setCable(1, "down");
    const cutMs = Date.now();
    const others = bed.host(2);
    await until(
      async () => (await serving(others)).length === replicas,
      8_000,
      "a full other side",
    );
    await until(() => Date.now() - cutMs >= 8_000, 9_000, "8 s");
    await bed.lan.setCable(1, "up");
    await untilSettled();
    const after = await startedAll();
    before.forEach((containers, index) => {
      for (const [id, startedAt] of containers) {
        assert.equal(after[index]?.get(id), startedAt, `on host${index + 1}`);
      }
    });
  });

  test("after a minute apart, states are equal within 10 s and what is surplus goes", async (t) => {
    await bed.lan.setCable(1, "down");
    const cutMs = Date.now();
    for (const host of [bed.host(1), bed.host(2)]) {
      await until(async () => (await serving(host)).length === replicas, 30_000, host.name);
    }
    await until(() => Date.now() - cutMs >= 60_000, 61_000, "60 s");
    await bed.lan.setCable(1, "up");
    const equalMs = await time(
      async () => {
        const views = await Promise.all(bed.hosts.map((host) => mesh.view(host)));
        const whole = views.every(({ nodes }) => nodes.every(({ status }) => status === "alive"));
        return whole && new Set(views.map(({ digest }) => digest)).size === 1;
      },
      10_000,
      "equal digests",
    );
    await untilSettled();
    t.diagnostic(`equal digests ${equalMs} ms after the cable was back`);
  });

  test("every host gets another address, one at a time, and the mesh carries on", async () => {
    for (const host of bed.hosts) {
      await host.readdress(`10.99.0.${100 + host.number}`);
      await mesh.untilWhole();
      const answer = await until(
        async () => await bed.client(["curl", "-sf", "-m", "5", url(host)]),
        10_000,
        `an answer of ${host.name}`,
      );
      assert.match(answer, /^hello 1 from/);
    }
    await untilSettled();
  });

  test("a power cut fails only requests that were on their way to it, and all serve again", async (t) => {
    const before = await serving(bed.hosts[0] as Host);
    const countOn = ({ name }: Host) => before.filter((task) => task.nodeName === name).length;
    const [victim, ...survivors] = bed.hosts.toSorted((a, b) => countOn(b) - countOn(a)) as [
      Host,
      Host,
      Host,
    ];
    assert.ok(countOn(victim) >= 2, "there is something to lose");
    const load = await Load.start(bed, survivors.map(url));
    const cutMs = Date.now();
    await victim.cutPower();
    await until(
      async () => {
        const seen = await Promise.all(survivors.map(serving));
        return seen.every((tasks) => {
          return tasks.length === replicas && tasks.every((one) => one.nodeName !== victim.name);
        });
      },
      settledMsMax,
      "all replicas on the survivors",
    );
    const healedMs = Date.now() - cutMs;
    // Some more, so that what is slow to fail is seen to fail.
    const sent = load.answers.length;
    await until(() => load.answers.length > sent + 200, 30_000, "200 more answers");
    await load.stop();
    const late = load.failures.filter(({ atMs }) => atMs - cutMs > 1_500);
    t.diagnostic(
      `${load.failures.length} of ${load.answers.length} requests failed; ${countOn(victim)} replicas healed in ${healedMs} ms`,
    );
    assert.deepEqual(late, [], "requests sent after routes should have dropped it");
    for (const { open, error } of load.failures) assert.ok(open, error);
    const back = await bed.reboot(victim.number);
    await mesh.startAgent(back);
    await mesh.untilWhole();
    await untilSettled();
  });

  test("an engine that is stopped is named, and its replicas are served again", async () => {
    const host = bed.host(2);
    await host.killEngine();
    await until(
      async () => (await mesh.shoal(host, ["status"])).includes("docker"),
      10_000,
      "a problem that names the engine",
    );
    await until(async () => (await serving(bed.host(1))).length === replicas, 60_000, "replicas");
    await host.startEngine();
    await host.engineReady();
    await untilSettled();
  });
});

describe("a mesh of two real hosts", onHosts, () => {
  let operator: Operator;
  before(
    async () => {
      await bed.up(2);
      mesh = await BedMesh.form(bed);
      operator = await Operator.invite(mesh);
    },
    { timeout: 240_000 },
  );
  after(async () => await bed.down(), { timeout: 60_000 });

  for (const victim of [1, 2]) {
    test(`the survivor of host ${victim} takes a deploy and runs all of it`, async () => {
      const survivor = bed.host(3 - victim);
      await bed.host(victim).cutPower();
      await operator.shoal(["deploy", "-f", "-"], { via: survivor, input: compose });
      assert.equal((await serving(survivor)).length, replicas);
      const back = await bed.reboot(victim);
      await mesh.startAgent(back);
      await mesh.untilWhole();
      await operator.shoal(["stack", "rm", "--yes", "shop"], { via: survivor });
      await until(async () => (await serving(back)).length === 0, settledMsMax, "an empty mesh");
    });
  }
});
