/** Ports that are taken, commands that are not there, and nodes that will not do. */

import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, before, test } from "node:test";
import { type DemoNode, findPort } from "../../cli/demo-mesh.ts";
import { explain, type Problem } from "../../model/problem.ts";
import { until } from "../until.ts";
import { ask, formMesh, newAgents, serving, webCompose } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(2);
const [first, second] = agents.nodes as [DemoNode, DemoNode];
const admin = new Person(agents, "person");
const service = "shop/web";
let port = 0;
let thief: Server;

before(
  async () => {
    await formMesh(agents);
    port = await findPort(8080, [first.address, second.address]);
    thief = await occupy(second.address, port);
  },
  { timeout: 60_000 },
);
after(async () => {
  thief.close();
  await agents.close();
});

async function occupy(address: string, taken: number): Promise<Server> {
  const server = createServer((socket) => socket.end("not shoal\n"));
  await new Promise<void>((resolve) => server.listen(taken, address, resolve));
  return server;
}

async function problemsAt(node: DemoNode, code: Problem["code"]): Promise<string[]> {
  const { problems } = await agents.view(node);
  return problems.filter((problem) => problem.code === code).map(explain);
}

/** One service that runs a command, with more lines for it. */
function compose(name: string, command: readonly string[], more = ""): string {
  return `
name: shop
services:
  ${name}:
    command: ${JSON.stringify(command)}
    x-shoal: { engine: process }
${more}`;
}

test("a published port that something else has on one node is named with that node", async () => {
  await admin.shoal(["deploy", "-f", "-"], { via: first, input: webCompose(port, 2) });
  const sentence = new RegExp(`^port ${port}/tcp on node node2 is in use by something else: `);
  const [there = ""] = await until(
    async () => {
      const found = await problemsAt(second, "port-in-use");
      return found.length > 0 ? found : undefined;
    },
    10_000,
    "the problem at node2",
  );
  assert.match(there, sentence);
  assert.deepEqual(await problemsAt(first, "port-in-use"), []);
  assert.match(await ask(first, port), /^v1 /, "the other node serves");
});

test("whoever asks another node learns that there is a problem, and whom to ask", async () => {
  const status = await until(
    async () => {
      const text = await admin.shoal(["status"], { via: first });
      return /node2 says port-in-use/.test(text) ? text : undefined;
    },
    10_000,
    "the news at node1",
  );
  const [, there = ""] = /node2 says port-in-use: more by `shoal (.*)`/.exec(status) ?? [];
  assert.match(await admin.shoal(there.split(" ")), new RegExp(`port ${port}/tcp on node node2`));
});

test("when the port is freed, it is listened on without a restart and the problem goes", async () => {
  await new Promise((resolve) => thief.close(resolve));
  await until(async () => /^v1 /.test(await ask(second, port)), 10_000, "an answer of node2");
  await until(
    async () => (await problemsAt(second, "port-in-use")).length === 0,
    10_000,
    "no problem at node2",
  );
});

test("two services cannot claim one port: the second is refused, and told who has it", async () => {
  const more = `    ports: ["${port}:80"]\n`;
  const input = compose("api", ["sleep", "1000"], more);
  for (const via of [first, second]) {
    const { code, problems } = await admin.problems(["deploy", "-f", "-"], { via, input });
    assert.equal(code, 1);
    const [problem] = problems;
    assert.deepEqual(problem, {
      code: "port-claimed",
      port,
      protocol: "tcp",
      service: "shop/api",
      holder: service,
    });
  }
  const { services } = await agents.view(first);
  assert.deepEqual(
    services.map((one) => one.service),
    [service],
  );
});

test("a command that no node has is named, with each node that has looked", async () => {
  const input = compose("job", ["no-such-command"]);
  const { code, err } = await admin.try(["deploy", "-f", "-", "--timeout", "4s"], {
    via: first,
    input,
  });
  assert.equal(code, 1, err);
  assert.match(err, /node node1 has no command called no-such-command/);
  assert.match(err, /node node2 has no command called no-such-command/);
  assert.match(err, /not converged: shop\/job \(the mesh keeps trying\)/);
  assert.match(await admin.shoal(["status"], { via: second }), /no command called no-such-command/);
  await admin.shoal(["service", "rm", "shop/job", "--yes"], { via: first });
});

// What a deploy asks for, what is done to nodes before, and which filters rule out how many.
const impossible: [what: string, more: string, rejections: Readonly<Record<string, number>>][] = [
  [
    "a constraint that no node fits",
    '    deploy: { placement: { constraints: ["node.labels.disk==ssd"] } }\n',
    { constraints: 2 },
  ],
  [
    "more memory than there is",
    "    deploy: { resources: { reservations: { memory: 9000g } } }\n",
    { resources: 2 },
  ],
  [
    "an engine that no node has",
    "    x-shoal: { engine: docker }\n    image: hello\n",
    { engine: 2 },
  ],
];

for (const [what, more, rejections] of impossible) {
  test(`${what} is told with the filter and how many nodes it ruled out`, async () => {
    const input = more.includes("engine:")
      ? `name: shop\nservices:\n  job:\n${more}`
      : compose("job", ["sleep", "1000"], more);
    const saying = { via: second, input };
    const plan = JSON.parse(await admin.shoal(["plan", "-f", "-", "--format", "json"], saying));
    assert.deepEqual(plan.steps[0].rejections, rejections);
    const args = ["deploy", "-f", "-", "--timeout", "2s"];
    const { code, err } = await admin.try(args, saying);
    assert.equal(code, 1);
    const [filter] = Object.keys(rejections);
    assert.match(err, new RegExp(`no node can run shop/job: .*${filter} ruled out 2`));
    await admin.shoal(["service", "rm", "shop/job", "--yes"], { via: first });
  });
}

test("with every node drained or paused, availability is what rules them out", async () => {
  await admin.shoal(["node", "update", "node1", "--availability", "pause"], { via: first });
  await admin.shoal(["node", "update", "node2", "--availability", "pause"], { via: first });
  const args = ["deploy", "-f", "-", "--timeout", "2s"];
  const input = compose("job", ["sleep", "1000"]);
  const { code, err } = await admin.try(args, { via: first, input });
  assert.equal(code, 1);
  assert.match(err, /no node can run shop\/job: availability ruled out 2/);
  await admin.shoal(["node", "update", "node2", "--availability", "active"], { via: second });
  await until(
    async () => serving(await agents.view(first), "shop/job").length === 1,
    10_000,
    "the job, once a node takes it",
  );
  assert.equal(serving(await agents.view(first), service).length, 2, "what ran, ran on");
});
