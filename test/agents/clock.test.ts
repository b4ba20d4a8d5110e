/** One machine of three has a clock that is an hour ahead, by Debian's libfaketime. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DemoNode } from "../../cli/demo-mesh.ts";
import { until } from "../until.ts";
import { newAgents, serving } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(3);
const [first, second, early] = agents.nodes as [DemoNode, DemoNode, DemoNode];
const admin = new Person(agents, "person");
const hourMs = 3_600_000;
const library = findLibrary();
const needsFaketime = library === undefined ? { skip: "needs Debian's package faketime" } : {};

/** What a process on the third machine lives with. Time that only passes is as everywhere. */
const env = {
  LD_PRELOAD: library ?? "",
  FAKETIME: "+1h",
  DONT_FAKE_MONOTONIC: "1",
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
};

/** In the folder of this machine's architecture. */
function findLibrary(): string | undefined {
  const file = "faketime/libfaketimeMT.so.1";
  const folders = readdirSync("/usr/lib").filter((name) => name.endsWith("-linux-gnu"));
  return folders
    .filter((name) => readdirSync(join("/usr/lib", name)).includes("faketime"))
    .map((name) => join("/usr/lib", name, file))
    .at(0);
}

function compose(name: string): string {
  return `
name: ${name}
services:
  job:
    command: ["sleep", "1000"]
    x-shoal: { engine: process }
    deploy: { replicas: 3 }
`;
}

async function codesAt(node: DemoNode): Promise<string[]> {
  return (await agents.view(node)).problems.map(({ code }) => code);
}

async function aliveAt(node: DemoNode): Promise<number> {
  return (await agents.view(node)).nodes.filter(({ status }) => status === "alive").length;
}

async function stop(node: DemoNode): Promise<void> {
  for (const pid of agents.agentPids(node)) process.kill(pid, "SIGTERM");
  await until(() => agents.agentPids(node).length === 0, 15_000, `the end of ${node.name}`);
}

describe("a clock that is an hour ahead", needsFaketime, () => {
  before(
    async () => {
      await agents.start(first);
      const token = await admin.shoal(["invite", "--uses", "2"]);
      await agents.start(second, token);
      await admin.shoal(["join", "-", "--detach", ...agents.words(early)], { input: token, env });
      await until(
        async () => (await Promise.all(agents.nodes.map(aliveAt))).every((alive) => alive === 3),
        30_000,
        "three that see each other",
      );
    },
    { timeout: 90_000 },
  );
  after(async () => await agents.close());

  test("that node says so itself, and the others name it in their status", async () => {
    await until(async () => (await codesAt(early)).includes("clock-skewed"), 20_000, "the problem");
    const { problems } = await agents.view(early);
    const problem = problems.find(({ code }) => code === "clock-skewed");
    assert.ok(problem?.code === "clock-skewed");
    assert.ok(Math.abs(problem.offsetMs - hourMs) < 2_000, `${problem.offsetMs} ms`);
    assert.equal((await codesAt(first)).includes("clock-skewed"), false);
    await until(
      async () => /node3 says clock-skewed/.test(await admin.shoal(["status"], { via: first })),
      10_000,
      "the news at node1",
    );
  });

  test("writes through it are refused, whichever clock the person has", async () => {
    const deploy = ["deploy", "-f", "-", "--detach"];
    const saying = { via: early, input: compose("one") };
    const there = await admin.problems(deploy, { ...saying, env });
    assert.deepEqual([there.code, there.problems.map(({ code }) => code)], [1, ["clock-skewed"]]);
    const said = await admin.try(deploy, { ...saying, env });
    assert.match(said.err, /this clock is off by 3[56]\d{5} ms \(limit 500 ms\): set it right/);
    const elsewhere = await admin.problems(deploy, saying);
    assert.deepEqual(
      [elsewhere.code, elsewhere.problems.map(({ code }) => code)],
      [1, ["request-expired"]],
    );
    assert.deepEqual((await agents.view(first)).services, []);
  });

  test("writes through the others work, on all three", async () => {
    for (const via of [first, second]) {
      const name = via === first ? "two" : "three";
      await admin.shoal(["deploy", "-f", "-"], { via, input: compose(name) });
      await until(
        async () => serving(await agents.view(early), `${name}/job`).length === 3,
        10_000,
        "three replicas as the early node sees them",
      );
    }
    const { tasks } = await agents.view(first);
    assert.ok(
      tasks.some(({ nodeName }) => nodeName === early.name),
      "it runs its part",
    );
    assert.deepEqual(await Promise.all(agents.nodes.map(aliveAt)), [3, 3, 3]);
  });

  test("what it took while alone is held back by the others, with an alarm", async () => {
    await stop(first);
    await stop(second);
    await stop(early);
    await admin.shoal(["up", "--detach", ...agents.words(early)], { env });
    const saying = { via: early, input: compose("four"), env };
    await admin.shoal(["deploy", "-f", "-", "--detach"], saying);
    await agents.start(first);
    await agents.start(second);
    for (const node of [first, second]) {
      await until(
        async () => (await codesAt(node)).includes("stamp-from-future"),
        30_000,
        `the alarm at ${node.name}`,
      );
      const { services } = await agents.view(node);
      const names = services.map(({ service }) => service).sort();
      assert.deepEqual(names, ["three/job", "two/job"]);
    }
    const status = await admin.shoal(["status"], { via: first });
    assert.match(status, /stamps its writes 3[56]\d{5} ms ahead of now: they are held back until/);
    await admin.shoal(["service", "scale", "two/job=4"], { via: first });
    await until(
      async () => serving(await agents.view(second), "two/job").length === 4,
      20_000,
      "a write through the others, later than the one that is held back",
    );
  });
});
