/** An agent whose disk is full, or cannot be written: what it says, and what goes on meanwhile. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DemoNode } from "../../cli/demo-mesh.ts";
import { isRoot, mountDisk, remount, unmountDisk } from "../node/mounts.ts";
import { until } from "../until.ts";
import { formMesh, newAgents, serving, untilWhole } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(2);
const [first, second] = agents.nodes as [DemoNode, DemoNode];
const admin = new Person(agents, "person");
const filler = join(second.data, "filler");
const needsRoot = isRoot ? {} : { skip: "mounting a disk needs root" };

function compose(name: string): string {
  return `
name: ${name}
services:
  job:
    command: ["sleep", "1000"]
    x-shoal: { engine: process }
`;
}

/** To the last block, in ever smaller pieces. */
function fill(): void {
  for (let bytes = 1 << 20; bytes >= 1; bytes >>= 1) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(bytes), { flag: "a" });
    } catch {
      // No room for a piece of this size.
    }
  }
}

/** The kernel lets go of a process's files a moment after the process is gone. */
function isRemounted(mode: "ro" | "rw"): boolean {
  remount(second.data, mode);
  return true;
}

async function codesAt(node: DemoNode): Promise<string[]> {
  return (await agents.view(node)).problems.map(({ code }) => code);
}

async function stop(node: DemoNode): Promise<void> {
  for (const pid of agents.agentPids(node)) process.kill(pid, "SIGTERM");
  await until(() => agents.agentPids(node).length === 0, 15_000, `the end of ${node.name}`);
}

describe("the disk of one agent", needsRoot, () => {
  before(
    async () => {
      mkdirSync(second.data, { recursive: true });
      mountDisk(second.data, "6m");
      await formMesh(agents);
    },
    { timeout: 60_000 },
  );
  after(async () => {
    await stop(second).catch(() => undefined);
    unmountDisk(second.data);
    await agents.close();
  });

  test("when it is full, writes there are refused with what to do, and reads go on", async () => {
    fill();
    const saying = { via: second, input: compose("one") };
    const { code, problems } = await admin.problems(["deploy", "-f", "-", "--detach"], saying);
    assert.equal(code, 1);
    assert.deepEqual(problems, [{ code: "disk-full", path: second.data }]);
    const said = await admin.try(["deploy", "-f", "-", "--detach"], saying);
    assert.match(said.err, /no room left on the disk of .*: free some, writes resume by them/);
    assert.match(await admin.shoal(["status"], { via: second }), /2 of 2 alive/);
  });

  test("it says so itself, and to whoever asks the other node", async () => {
    await until(async () => (await codesAt(second)).includes("disk-full"), 10_000, "the problem");
    await until(
      async () => /node2 says disk-full/.test(await admin.shoal(["status"], { via: first })),
      10_000,
      "the news at node1",
    );
  });

  test("writes at the other node are taken by both", async () => {
    await admin.shoal(["deploy", "-f", "-"], { via: first, input: compose("two") });
    await until(
      async () => serving(await agents.view(second), "two/job").length === 1,
      10_000,
      "the task as the full node sees it",
    );
  });

  test("once there is room it takes writes again, without a restart", async () => {
    const [pid] = agents.agentPids(second);
    rmSync(filler);
    await until(async () => !(await codesAt(second)).includes("disk-full"), 10_000, "no problem");
    await admin.shoal(["deploy", "-f", "-"], { via: second, input: compose("three") });
    for (const node of [first, second]) {
      const { services } = await agents.view(node);
      const names = services.map(({ service }) => service);
      assert.deepEqual(names, ["three/job", "two/job"], "what was refused came to nothing");
    }
    assert.deepEqual(agents.agentPids(second), [pid]);
  });

  test("a start on a full disk says so, and what was written before is there", async () => {
    await stop(second);
    fill();
    await admin.shoal(["up", "--detach", ...agents.words(second)]);
    await untilWhole(agents, [first, second]);
    const { services } = await agents.view(second);
    assert.ok(services.some(({ service }) => service === "three/job"));
    const saying = { via: second, input: compose("four") };
    const { problems } = await admin.problems(["deploy", "-f", "-", "--detach"], saying);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["disk-full"],
    );
    await until(async () => (await codesAt(second)).includes("disk-full"), 10_000, "the problem");
    rmSync(filler);
    await until(async () => !(await codesAt(second)).includes("disk-full"), 10_000, "no problem");
    await admin.shoal(["deploy", "-f", "-"], { via: second, input: compose("four") });
  });

  test("a disk that cannot be written keeps an agent from starting, and is named", async () => {
    await stop(second);
    // Tasks write their logs there: only an unused disk can be made read-only.
    for (const pid of agents.pidsOf(second)) process.kill(pid, "SIGKILL");
    await until(() => agents.pidsOf(second).length === 0, 10_000, "the end of its tasks");
    await until(() => isRemounted("ro"), 10_000, "a disk that nobody writes to");
    const args = ["up", "--detach", ...agents.words(second)];
    const { code, problems } = await admin.problems(args);
    assert.equal(code, 1);
    assert.equal(problems[0]?.code, "data-directory-unwritable");
    const said = await admin.try(args);
    assert.match(said.err, /^cannot write to .*node2: .*(EROFS|read-only)/);
    remount(second.data, "rw");
    await admin.shoal(args);
    await untilWhole(agents, [first, second]);
  });

  test("leaving empties it, and the agent ends well although a mount cannot be removed", async () => {
    await admin.shoal(["leave", "--yes", "--data", second.data]);
    await until(() => agents.pidsOf(second).length === 0, 10_000, "its end");
    assert.deepEqual(readdirSync(second.data), []);
    await untilWhole(agents, [first]);
    await agents.start(second, await admin.shoal(["invite"], { via: first }));
    await untilWhole(agents, [first, second]);
  });
});
