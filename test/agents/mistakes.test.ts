/** What a person can get wrong at the command line of a mesh, and that nothing comes of it. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { problemCodes } from "../../model/problem.ts";
import { formMesh, newAgents } from "./agents.ts";
import { Person } from "./person.ts";

const agents = newAgents(1);
const admin = new Person(agents, "person");

before(async () => await formMesh(agents), { timeout: 60_000 });
after(async () => await agents.close());

const fiveMistakes = `name: shop
services:
  web:
    image: hello
    repicas: 3
    ports: ["eighty:80"]
    deploy:
      replicas: -1
      resources: { limits: { memory: lots } }
  api:
    image: hello
    restart: sometimes
`;

// What is wrong, the file, and each line's number with what its sentence says.
const files: [what: string, text: string, said: readonly [line: number, sentence: RegExp][]][] = [
  ["a tab", "services:\n  web:\n\timage: hello\n", [[3, /this is not YAML/]]],
  [
    "a quote left open",
    'services:\n  web:\n    image: "hello\n',
    [[3, /not YAML: this quote is never closed/]],
  ],
  ["a bracket left open", "services:\n  web: { image: hello\n", [[3, /this is not YAML/]]],
  ["two documents", "services: {}\n---\nservices: {}\n", [[2, /this is not YAML|document/]]],
  [
    "a key twice",
    "services:\n  web:\n    image: a\n    image: b\n",
    [[4, /this is not YAML.*unique/]],
  ],
  [
    "a key misspelt",
    "services:\n  web:\n    image: hello\n    replcas: 3\n",
    [[4, /services\.web\.replcas: unknown key/]],
  ],
  [
    "a misspelt key that resembles one",
    "services:\n  web:\n    imge: hello\n",
    [
      [2, /image/],
      [3, /did you mean "image"\?/],
    ],
  ],
  [
    "five mistakes",
    fiveMistakes,
    [
      [5, /services\.web\.repicas: unknown key/],
      [6, /services\.web\.ports/],
      [8, /replicas/],
      [9, /memory/],
      [12, /restart/],
    ],
  ],
];

for (const [what, text, said] of files) {
  test(`a Compose file with ${what} is refused whole, each line named`, async () => {
    const { code, out, err } = await admin.try(["deploy", "-f", "-"], { input: text });
    assert.equal(code, 1, err);
    assert.equal(out, "");
    const lines = err.trim().split("\n");
    assert.equal(lines.length, said.length, err);
    said.forEach(([line, sentence], index) => {
      assert.match(lines[index] ?? "", new RegExp(`^-:${line}: .`), err);
      assert.match(lines[index] ?? "", sentence);
    });
    const json = await admin.problems(["deploy", "-f", "-"], { input: text });
    assert.equal(json.code, 1);
    assert.deepEqual(
      json.problems.map((problem) => ("line" in problem ? problem.line : 0)),
      said.map(([line]) => line),
    );
  });
}

test("nothing was deployed of any of them", async () => {
  const [node] = agents.nodes as [(typeof agents.nodes)[0]];
  const { services, tasks } = await agents.view(node);
  assert.deepEqual([services, tasks], [[], []]);
});

// Command line, exit code, and what is said.
const slips: [line: string, code: number, said: RegExp][] = [
  ["deploy -f none.yaml", 1, /cannot read none.yaml: there is no such file/],
  ["deploy", 1, /none of compose.yaml, .* is here: name one with -f/],
  ["deploy -f - --format xml", 2, /Allowed choices are table, json/],
  ["service scale web=3", 1, /no service called web: see `shoal service ls`/],
  ["service scale web", 2, /expected SERVICE=REPLICAS, such as web=6/],
  ["service update nothing --replicas 2", 1, /no service called nothing/],
  ["service rm nothing --yes", 1, /no service called nothing/],
  ["stack rm nothing --yes", 1, /no stack called nothing/],
  ["node update nobody --availability drain", 1, /no node called nobody: see `shoal node ls`/],
  ["node update node1 --availability maybe", 2, /--availability: expected active, pause, drain/],
  ["node rm node1 --yes", 2, /node1: is alive: run `shoal leave` there/],
  ["node rm node1 --yes --force", 2, /node1: is the only peer: `shoal leave` there ends the mesh/],
  ["up --data x --listen 10.0.0.1:7946", 2, /is no address to listen on: it looks like \/ip4/],
  ["leave --yes --peer /ip4/10.0.0.1/tcp/7946/p2p/12D3", 2, /unknown option '--peer'/],
  ["up --data x --dns nowhere", 2, /--dns: nowhere is no ADDRESS:PORT/],
  ["up --data x --engine podman", 2, /--engine: podman is neither docker nor process/],
  [`up --data x --listen /ip4/192.0.2.1/tcp/1 --dns 127.0.0.1:1`, 2, /has no address 192.0.2.1$/m],
  ["join shoal2-xyz", 1, /this is not an invite: it does not begin with shoal1-/],
  ["logs nothing", 1, /no service called nothing/],
  ["exec web.1 sh", 1, /no task called web.1: see `shoal ps`/],
  ["invite --role king", 2, /--role: expected peer, runner, operator, viewer, admin/],
  ["invite --expires soon", 2, /--expires: expected a duration such as "1m30s"/],
  ["invite --expires 0s", 2, /--expires: /],
  ["invite --uses 0", 2, /--uses: expected 1 or more/],
  ["invite --address 10.0.0.1:7946", 2, /--address: .*looks like \/ip4/],
  ["context use nowhere", 1, /no context called nowhere: see `shoal context ls`/],
  ["service create hello", 2, /--name: expected a name in DNS/],
  ["service create --name web --replicas many hello", 2, /REPLICAS: expected a whole number/],
  ["service create --name web --publish-add eighty hello", 2, /--publish-add: /],
];

for (const [line, code, said] of slips) {
  test(`shoal ${line} ends with ${code} and says why`, async () => {
    const done = await admin.try(line.split(" "), { input: "services: {}\n" });
    assert.equal(done.code, code, done.err);
    assert.match(done.err, said);
    assert.equal(done.out, "");
    assert.doesNotMatch(done.err, /\n {4}at |undefined|\[object/);
  });
}

test("an agent that could not start has begun no mesh", () => {
  assert.equal(existsSync(join(agents.directory, "x", "mesh.json")), false);
});

test("with --format json the same is an object with a code that the manual has", async () => {
  const { code, problems } = await admin.problems(["service", "scale", "web=3"]);
  assert.equal(code, 1);
  assert.deepEqual(problems, [{ code: "service-unknown", service: "web" }]);
  for (const problem of problems) assert.ok(problemCodes.includes(problem.code));
});
