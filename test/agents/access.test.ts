/** Wrong addresses, wrong keys, and people who may not: each is told so, and nothing changes. */

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import type { DemoNode } from "../../cli/demo-mesh.ts";
import { identityFromSeed } from "../../trust/identity.ts";
import { formMesh, newAgents, webCompose } from "./agents.ts";
import { Person, type Said } from "./person.ts";

const agents = newAgents(2);
const [first, second] = agents.nodes as [DemoNode, DemoNode];
const admin = new Person(agents, "person");
const operator = new Person(agents, "operator");
const viewer = new Person(agents, "viewer");
const compose = webCompose(8080, 1);

before(
  async () => {
    await formMesh(agents);
    for (const [person, role] of [
      [operator, "operator"],
      [viewer, "viewer"],
    ] as const) {
      const token = await admin.shoal(["invite", "--role", role]);
      const answer = await person.shoal(["context", "add", "demo", "-"], { input: token });
      assert.equal(answer, `demo: ${role} of mesh demo\n`);
    }
  },
  { timeout: 60_000 },
);
after(async () => await agents.close());

const stranger = identityFromSeed(new Uint8Array(32).fill(5)).id;

/** The one line it says, without what programs read. */
function refused({ code, out, err }: Said, exitCode: number, said: RegExp): void {
  assert.equal(code, exitCode, err);
  assert.equal(out, "");
  assert.match(err, said);
  assert.equal(err.trim().split("\n").length, 1, err);
}

// An address, with what it is asked for by name, and what is said of it.
const addresses: [what: string, address: () => string, said: RegExp][] = [
  ["where nobody listens", () => `/ip4/${first.address}/tcp/9/p2p/${stranger}`, /cannot reach .*:/],
  ["that no network has", () => `/ip4/192.0.2.1/tcp/7946/p2p/${stranger}`, /cannot reach .*:/],
  ["that is none", () => "10.0.0.1:7946", /is no peer address \(not a TCP multiaddr\): it looks/],
  ["of UDP", () => `/ip4/${first.address}/udp/7946/p2p/${stranger}`, /not a TCP multiaddr/],
  ["without a peer id", () => `/ip4/${first.address}/tcp/7946`, /the peer's id is missing/],
  [
    "at which another peer answers",
    () => `/ip4/${first.address}/tcp/7946/p2p/${stranger}`,
    /another peer answers there/,
  ],
];

for (const [what, address, said] of addresses) {
  test(`a peer address ${what} is named with what is wrong with it`, async () => {
    refused(await operator.try(["status", "--peer", address()]), 1, said);
  });
}

test("a name that DNS does not have is named", async () => {
  const address = `/dns4/nowhere.invalid/tcp/7946/p2p/${stranger}`;
  refused(await operator.try(["status", "--peer", address]), 1, /cannot reach .*nowhere.invalid/);
});

test("a peer that accepts and says nothing is given up in a few seconds", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(7999, second.address, resolve));
  try {
    const address = `/ip4/${second.address}/tcp/7999/p2p/${stranger}`;
    const startMs = performance.now();
    const said = await operator.try(["status", "--peer", address]);
    refused(said, 1, /cannot reach .*: it does not answer/);
    assert.ok(performance.now() - startMs < 10_000);
  } finally {
    silent.close();
  }
});

test("of several peers the first that answers is taken, and when none does all are named", async () => {
  const dead = `/ip4/${first.address}/tcp/9/p2p/${stranger}`;
  const [flag = "", alive = ""] = agents.peer(second);
  const answer = await operator.shoal(["status", flag, dead, flag, alive]);
  assert.match(answer, /Answered by: +node2/);
  const { code, problems } = await operator.problems(["status", flag, dead, flag, "nonsense"]);
  assert.equal(code, 1);
  assert.deepEqual(
    problems.map((problem) => problem.code),
    ["peer-unreachable", "address-invalid"],
  );
});

test("someone without a context is told how to get one", async () => {
  const nobody = new Person(agents, "nobody");
  const said = await nobody.try(["status"], { via: first });
  refused(said, 2, /--peer: needs a context that knows the mesh: `shoal context add NAME TOKEN`/);
});

test("a key that nobody gave a role is refused by every peer", async () => {
  const thief = new Person(agents, "thief");
  // The secret of the mesh alone, as somebody has it who found a file of contexts without its key.
  await mkdir(`${agents.directory}/thief`);
  const file = await readFile(`${agents.directory}/operator/contexts.json`);
  await writeFile(`${agents.directory}/thief/contexts.json`, file);
  for (const via of [first, second]) {
    const { code, problems } = await thief.problems(["status"], { via });
    assert.equal(code, 1);
    assert.deepEqual(
      problems.map((problem) => problem.code),
      ["key-refused"],
    );
  }
  refused(
    await thief.try(["status"], { via: first }),
    1,
    /refuses this key, which has no role .*`shoal context add NAME TOKEN`/,
  );
});

test("a viewer sees everything and changes nothing", async () => {
  assert.match(await viewer.shoal(["status"], { via: first }), /2 of 2 alive/);
  assert.match(await viewer.shoal(["plan", "-f", "-"], { via: first, input: compose }), /web/);
  const writes = [
    ["deploy", "-f", "-"],
    ["node", "update", "node2", "--availability", "drain"],
    ["node", "rm", "node2", "--yes", "--force"],
    ["invite"],
    ["person", "rm", "operator", "--yes"],
  ];
  for (const args of writes) {
    const { code, problems } = await viewer.problems(args, { via: first, input: compose });
    assert.equal(code, 1, args.join(" "));
    assert.equal(problems[0]?.code, "not-authorised", args.join(" "));
  }
  const said = await viewer.try(["deploy", "-f", "-"], { via: first, input: compose });
  refused(said, 1, /may not do this: it needs the role operator \(an admin runs `shoal invite/);
});

test("an operator deploys, and neither invites nor removes", async () => {
  for (const args of [["invite"], ["node", "rm", "node2", "--yes", "--force"]]) {
    const said = await operator.try(args, { via: second });
    refused(said, 1, /needs the role admin \(an admin runs `shoal invite --role admin`/);
  }
  await operator.shoal(["deploy", "-f", "-", "--detach"], { via: second, input: compose });
  await operator.shoal(["stack", "rm", "shop", "--yes"], { via: second });
});

test("nothing of what was refused took effect", async () => {
  for (const node of [first, second]) {
    const { nodes, services } = await agents.view(node);
    assert.deepEqual(services, []);
    assert.deepEqual(
      nodes.map(({ availability, role }) => `${availability} ${role}`),
      ["active peer", "active peer"],
    );
  }
});

test("whoever lost the role meanwhile is refused, by peers that were not asked as well", async () => {
  const listed = JSON.parse(await admin.shoal(["person", "ls", "--format", "json"])) as {
    readonly role: string;
    readonly key: string;
  }[];
  assert.deepEqual(listed.map(({ role }) => role).sort(), ["admin", "operator", "viewer"]);
  await admin.shoal(["person", "rm", "operator", "--yes"]);
  for (const via of [first, second]) {
    const said = await operator.try(["deploy", "-f", "-"], { via, input: compose });
    refused(said, 1, /refuses this key|needs the role operator/);
  }
  const [last] = listed.filter(({ role }) => role === "admin");
  const said = await admin.try(["person", "rm", last?.key ?? "", "--yes"]);
  refused(said, 2, /is the only admin: invite another first/);
});
