import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInvite, readTrust } from "../../api/person.ts";
import { commands, groups } from "../../cli/program.ts";
import { verify } from "../../trust/identity.ts";
import { TrustLog } from "../../trust/log.ts";
import { genesis, key, makeFake, mesh, sentences, type } from "./fake-world.ts";
import { helloView, meshView, nodeView, taskView } from "./views.ts";

test("node update keeps what the operator said before and not the node's own labels", () => {
  const own = nodeView("host2");
  const facts = own.facts === undefined ? {} : { facts: { ...own.facts, labels: { disk: "ssd" } } };
  const node = nodeView("host2", { ...facts, labels: { disk: "ssd", zone: "a", rack: "1" } });
  const fake = makeFake({ view: meshView({ nodes: [nodeView("host1"), node] }) });
  type(fake, "node update host2 --label-add zone=b --label-rm rack --availability drain --detach");
  assert.deepEqual(fake.written.get(`node/${node.node}`), {
    kind: "node",
    node: node.node,
    availability: "drain",
    labels: { zone: "b" },
  });
  const refused = type(fake, "node update host2 --label-rm disk");
  assert.match(sentences(refused).join(), /comes from the node's own command line/);
});

test("a drain waits until the node is empty", () => {
  const busy = helloView();
  const fake = makeFake({ view: busy });
  fake.onSleep = () => {
    fake.view = { ...busy, tasks: [] };
  };
  assert.equal(type(fake, "node update host2 --availability drain").code, 0);
  assert.deepEqual(fake.drawn.flat(), ["host2  2 left", "host2  drained"]);
});

test("node rm revokes a node that is down", () => {
  const dead = nodeView("host2", { status: "down" });
  const fake = makeFake({ view: meshView({ nodes: [nodeView("host1"), dead] }) });
  assert.equal(type(fake, "node rm host2 --yes").code, 0);
  const log = new TrustLog(mesh, verify);
  for (const fact of [...genesis.facts, ...fake.facts]) log.add(fact);
  assert.ok(log.view().revoked.has(dead.node));
});

test("invite prints the token and nothing else, and the mesh is told", () => {
  const fake = makeFake({ view: meshView() });
  assert.equal(type(fake, "invite --role operator --uses 2 --expires 1h").code, 0);
  assert.deepEqual(fake.err, []);
  const token = parseInvite(fake.out.join("\n"));
  assert.ok(!("code" in token));
  assert.deepEqual([token.mesh, token.name, token.role], [mesh, "home", "operator"]);
  assert.equal(token.addresses[0], `/ip4/10.0.0.1/tcp/7946/p2p/${nodeView("host1").node}`);
  const trust = readTrust(mesh, [...genesis.facts, ...fake.facts]);
  const [invite] = trust.invites.values();
  assert.deepEqual(invite, {
    role: "operator",
    expiresAtMs: token.expiresAtMs,
    uses: 2,
    usesLeft: 2,
  });
});

test("up begins a mesh with this person as admin, and remembers it as a context", () => {
  const fake = makeFake({ view: meshView() });
  fake.contexts = { current: "", contexts: [] };
  const line =
    "up --name home --data /tmp/n1 --listen /ip4/0.0.0.0/tcp/1 --label zone=a --engine process --detach";
  assert.equal(type(fake, line).code, 0);
  const [start] = fake.starts;
  assert.deepEqual(start?.args.join(" ").split(" --"), [
    "--data /tmp/n1",
    "socket /tmp/n1/shoal.sock",
    "listen /ip4/0.0.0.0/tcp/1",
    "label zone=a",
    "engine process",
    "genesis-name home",
    `admin ${key.id}`,
  ]);
  const [context] = fake.contexts.contexts;
  assert.deepEqual([context?.name, context?.socket], ["home", "/tmp/n1/shoal.sock"]);
  assert.equal(context?.peers.length, 3);
});

test("up on a machine that is in a mesh already begins no other", () => {
  const fake = makeFake({ view: meshView() });
  fake.agentFile = { mesh, name: "home", secret: "", node: nodeView("host1").node };
  type(fake, "up --detach");
  assert.ok(!fake.starts[0]?.args.includes("--genesis-name"));
});

test("join hands the invite over on standard input, never as an argument", () => {
  const inviter = makeFake({ view: meshView() });
  type(inviter, "invite");
  const token = inviter.out.join("");
  const fake = makeFake({ view: meshView(), files: { "-": `${token}\n` } });
  assert.equal(type(fake, "join - --detach").code, 0);
  const [start] = fake.starts;
  assert.equal(start?.input, `${token}\n`);
  assert.ok(start?.args.includes("--join"));
  assert.ok(!start?.args.join(" ").includes(token));
});

test("join refuses an invite for people, and says what to do with it", () => {
  const inviter = makeFake({ view: meshView() });
  type(inviter, "invite --role viewer");
  const fake = makeFake({ view: meshView() });
  const ran = type(fake, `join ${inviter.out.join("")}`);
  assert.match(sentences(ran).join(), /context add NAME TOKEN/);
});

test("context add joins as a person and becomes the context in use", () => {
  const fake = makeFake({ view: meshView() });
  assert.equal(type(fake, "context add work shoal1-token").code, 0);
  assert.equal(fake.contexts.current, "work");
  type(fake, "context use home");
  type(fake, "context rm home");
  assert.deepEqual([fake.contexts.current, fake.contexts.contexts.length], ["work", 1]);
});

test("logs name their replica and node, and know services, replicas and stacks", () => {
  const task = taskView("hello/web.1", "host1").task;
  const logs = [{ task, stream: "stdout" as const, atMs: 0, line: "hello" }];
  const fake = makeFake({ view: helloView(), logs });
  type(fake, "logs -f --tail 5 web");
  type(fake, "logs -t web.1");
  type(fake, "logs --stack hello --raw");
  assert.deepEqual(fake.out, [
    "hello/web.1@host1 | hello",
    "00:00:00.000 hello/web.1@host1 | hello",
    "hello",
  ]);
  const [service, replica, stack] = fake.queries;
  assert.deepEqual([service?.service, service?.follow, service?.tail], ["hello/web", true, 5]);
  assert.equal(replica?.task, task);
  assert.equal(stack?.stack, "hello");
});

test("exec passes everything after the task on, options of the command included", () => {
  const fake = makeFake({ view: helloView() });
  assert.equal(type(fake, "exec -it -e A=1 web.1 ls -l --all").code, 3);
  const request = JSON.parse(fake.out.join("")) as Record<string, unknown>;
  assert.deepEqual(request.command, ["ls", "-l", "--all"]);
  assert.deepEqual([request.tty, request.stdin, request.env], [true, true, { A: "1" }]);
  const dashed = makeFake({ view: helloView() });
  type(dashed, "exec web.1 -- ls --all");
  assert.deepEqual(JSON.parse(dashed.out.join("")).command, ["ls", "--all"]);
});

test("status fits one screen: mesh, nodes, services, problems", () => {
  const problems = [{ code: "node-down", node: "host3" }] as const;
  const nodes = [nodeView("host1"), nodeView("host2"), nodeView("host3", { status: "down" })];
  const fake = makeFake({ view: helloView({ problems, nodes }) });
  type(fake, "status");
  const text = fake.out.join("\n");
  assert.match(text, /^Mesh: +[0-9a-f]{12}$/m);
  assert.match(text, /^Nodes: +2 of 3 alive$/m);
  assert.match(text, /^hello\/web /m);
  assert.match(text, /^ {2}node host3 is down$/m);
  assert.ok(text.split("\n").length < 24);
});

test("a task's text cannot move the cursor of who lists it", () => {
  const tasks = [taskView("hello/web.1", "host1", { reason: "bad\u001b[2Jthing\nnext" })];
  const fake = makeFake({ view: helloView({ tasks }) });
  type(fake, "ps");
  assert.ok(!fake.out.join("\n").includes("\u001b"));
  assert.equal(fake.out.join("\n").split("\n").length, 2);
});

test("every command has help with a summary and examples that parse to it", () => {
  const all = [
    ...commands.map((command) => ({ path: command.name, command })),
    ...groups.flatMap((group) =>
      group.commands.map((command) => ({ path: `${group.name} ${command.name}`, command })),
    ),
  ];
  assert.ok(all.length > 35);
  for (const { path, command } of all) {
    assert.ok(command.summary.length > 10 && command.examples.length > 0, path);
    for (const example of command.examples) assert.ok(example.startsWith(`shoal ${path}`), example);
    const fake = makeFake({ view: meshView() });
    assert.throws(() => type(fake, `${path} --help`), { code: "commander.helpDisplayed" });
    assert.ok(fake.out.join("").includes(command.examples[0] ?? "?"), path);
  }
});

test("an unknown command or option is a usage error with a suggestion", () => {
  const fake = makeFake({ view: meshView() });
  assert.throws(() => type(fake, "servce ls"), { code: "commander.unknownCommand" });
  assert.throws(() => type(fake, "service lss"), { code: "commander.unknownCommand" });
  assert.throws(() => type(fake, "service ls --al"), { code: "commander.unknownOption" });
  assert.throws(() => type(fake, "exec web.1"), { code: "commander.missingArgument" });
  assert.match(fake.err.join(""), /Did you mean service/);
});

test("completion scripts know every command", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const fake = makeFake({ view: meshView() });
    assert.equal(type(fake, `completion ${shell}`).code, 0);
    for (const word of ["deploy", "rollback", "invite", "context"]) {
      assert.ok(fake.out.join("").includes(word), `${shell} ${word}`);
    }
  }
});
