/** The main job on real hosts: deploy from outside, serve everywhere, change without a gap. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
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
let operator: Operator;
const service = "shop/web";
const port = 8080;
const movedMsMax = 60_000;

const compose = (image: string, replicas: number) => `
name: shop
services:
  web:
    image: ${image}
    pull_policy: never
    stop_grace_period: 3s
    ports: ["${port}:80"]
    healthcheck:
      test: ["CMD", "wget", "-qO-", "http://127.0.0.1/"]
      interval: 1s
      timeout: 2s
    deploy:
      replicas: ${replicas}
      update_config: { parallelism: 2, order: start-first }
`;

function urls(hosts: readonly Host[] = bed.hosts): string[] {
  return hosts.map(({ address }) => `http://${address}:${port}/`);
}

async function serving(via: Host): Promise<TaskView[]> {
  const { tasks } = await mesh.view(via);
  return tasks.filter(({ service: name, ready, state, standing }) => {
    return name === service && ready && state === "running" && standing === "current";
  });
}

/** Answers by their text, from `count` requests to one host. */
async function ask(host: Host, count: number): Promise<Map<string, number>> {
  const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); curl -sf -m 5 ${urls([host])[0]} || echo FAILED; done`;
  const output = await bed.client(["sh", "-c", script], { timeoutMs: 60_000 });
  const answers = new Map<string, number>();
  for (const line of output.trim().split("\n")) answers.set(line, (answers.get(line) ?? 0) + 1);
  return answers;
}

describe("a mesh of three real hosts", onHosts, () => {
  before(
    async () => {
      await bed.up(3);
      mesh = await BedMesh.form(bed);
      operator = await Operator.invite(mesh);
    },
    { timeout: 240_000 },
  );
  after(async () => await bed.down(), { timeout: 60_000 });

  test("a Compose file is deployed through host 2 from outside", async () => {
    const input = compose("hello:1", 6);
    await operator.shoal(["deploy", "-f", "-"], { via: bed.host(2), input });
    for (const host of bed.hosts) assert.equal((await serving(host)).length, 6, host.name);
    const places = new Set((await serving(bed.host(1))).map(({ node }) => node));
    assert.equal(places.size, 3, "replicas are dealt over the hosts");
  });

  test("each host's port reaches all six replicas, 200 requests to each succeed", async () => {
    for (const host of bed.hosts) {
      const answers = await ask(host, 200);
      assert.equal(answers.get("FAILED"), undefined, `failures at ${host.name}`);
      assert.equal(answers.size, 6, `${host.name}: ${[...answers].join("; ")}`);
    }
  });

  test("each host's DNS answers with the healthy replicas and no other", async () => {
    const expected = (await serving(bed.host(1))).map((task) => task.endpoint?.address).sort();
    for (const host of bed.hosts) {
      const dig = ["dig", "+short", "+tcp", "@127.0.0.1", "-p", "7953", "web.shop.mesh"];
      const answers = (await host.exec(dig)).trim().split("\n").sort();
      assert.deepEqual(answers, expected, host.name);
    }
  });

  test("a container finds a service by its name", async () => {
    const [task] = await serving(bed.host(1));
    const host = await hostOf(task as TaskView);
    const lookup = ["exec", (task as TaskView).task, "--", "nslookup", "web.shop.mesh"];
    assert.match(await mesh.shoal(host, lookup), /Address/);
  });

  test("scaling up and down is carried out", async () => {
    await operator.shoal(["service", "scale", `${service}=8`], { via: bed.host(3) });
    assert.equal((await serving(bed.host(1))).length, 8);
    await operator.shoal(["service", "scale", `${service}=6`], { via: bed.host(1) });
    await until(async () => (await serving(bed.host(2))).length === 6, movedMsMax, "six replicas");
  });

  test("an update of the image and its rollback fail no request", async () => {
    for (const [words, version] of [
      [["service", "update", "--image", "hello:2", service], "2"],
      [["service", "rollback", service], "1"],
    ] as const) {
      const load = await Load.start(bed, urls());
      await operator.shoal(words, { via: bed.host(1) });
      const isNew = async () => {
        const answers = await ask(bed.host(2), 30);
        return [...answers.keys()].every((text) => text.startsWith(`hello ${version} `));
      };
      await until(isNew, movedMsMax, `only version ${version}`);
      const answers = await load.stop();
      assert.deepEqual(load.failures, [], `${words.join(" ")}: ${answers.length} requests`);
    }
  });

  test("logs of all replicas are followed from one host", async () => {
    const [program, ...args] = bed.host(1).command(["shoal", "logs", "-f", "--tail", "0", service]);
    const child = spawn(program as string, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    const tasks = await serving(bed.host(1));
    const heard = () => new Set(output.match(/^\S+(?= +\| said here)/gm));
    const all = async () => {
      for (const host of bed.hosts) {
        await bed.client(["curl", "-sf", "-m", "5", `${urls([host])[0]}cgi-bin/say?here`]);
      }
      return heard().size === tasks.length;
    };
    await until(all, movedMsMax, "a line of each replica").finally(() => child.kill("SIGKILL"));
  });

  test("exec reaches a replica on another host, with its exit code", async () => {
    for (const task of await serving(bed.host(1))) {
      const via = bed.hosts.find(({ name }) => name !== task.nodeName) as Host;
      const output = await operator.shoal(["exec", task.task, "--", "hostname"], { via });
      assert.notEqual(output.trim(), "");
      const failing = ["exec", task.task, "--", "sh", "-c", "exit 7"];
      assert.equal((await operator.attempt(failing, { via })).code, 7);
    }
  });

  test("a drained node is empty in bounded time and no request fails", async () => {
    const load = await Load.start(bed, urls());
    const drain = ["node", "update", "--availability", "drain", "host3"];
    await operator.shoal(drain, { via: bed.host(1) });
    const count = await bed.host(3).exec(["docker", "ps", "-q"]);
    assert.equal(count.trim(), "", "containers left on the drained node");
    assert.equal((await serving(bed.host(1))).length, 6);
    const answers = await load.stop();
    assert.deepEqual(load.failures, [], `${answers.length} requests`);
    await operator.shoal(["node", "update", "--availability", "active", "host3"]);
  });

  test("a killed agent's containers run on, other nodes serve on, the next agent adopts all", async () => {
    const [first] = bed.hosts as [Host];
    const before = await containers();
    const load = await Load.start(bed, urls(bed.hosts.slice(1)));
    await mesh.killAgent(first);
    await until(
      async () => (await mesh.view(bed.host(2))).nodes.some(({ status }) => status === "down"),
      movedMsMax,
      "the agent's death noticed",
    );
    await mesh.startAgent(first);
    await mesh.untilWhole();
    await until(async () => (await serving(first)).length === 6, movedMsMax, "six replicas");
    await load.stop();
    // What the killed agent was carrying in that moment is asked of another replica.
    assert.deepEqual(load.failures, [], `of ${load.answers.length} requests`);
    const after = await containers();
    for (const [id, startedAt] of before.get(first.name) ?? []) {
      const now = after.get(first.name)?.get(id);
      assert.ok(now === undefined || now === startedAt, `${id} was restarted`);
    }
  });
});

async function hostOf({ nodeName }: TaskView): Promise<Host> {
  return bed.hosts.find(({ name }) => name === nodeName) as Host;
}

/** Host → container → when it was started. */
async function containers(): Promise<Map<string, Map<string, string>>> {
  const all = new Map<string, Map<string, string>>();
  for (const host of bed.hosts) {
    const ids = (
      await host.exec(["docker", "ps", "-q", "--filter", `label=shoal.service=${service}`])
    )
      .trim()
      .split("\n")
      .filter((id) => id !== "");
    const started = new Map<string, string>();
    for (const id of ids) {
      const format = ["-f", "{{.State.StartedAt}} {{.RestartCount}}"];
      started.set(id, await host.exec(["docker", "inspect", ...format, id]));
    }
    all.set(host.name, started);
  }
  return all;
}
