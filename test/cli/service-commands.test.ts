import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskId } from "../../model/ids.ts";
import type { RevisionView, TaskView } from "../../model/view.ts";
import { key, makeFake, sentences, type } from "./fake-world.ts";
import { helloView, meshView, serviceView, specFrom, webSpec } from "./views.ts";

test("service ls prints docker's columns, aligned", () => {
  const fake = makeFake({ view: helloView() });
  assert.equal(type(fake, "service ls").code, 0);
  assert.deepEqual(fake.out.join("\n").split("\n"), [
    "NAME        MODE         REPLICAS   UPDATE      IMAGE     PORTS",
    "hello/web   replicated   3/3        completed   hello:1   *:8080->80/tcp",
    "shop/api    replicated   2/2        completed   nginx",
  ]);
});

test("tables are cut at the width of a terminal, and only there", () => {
  const fake = makeFake({ view: helloView(), columns: 30 });
  type(fake, "service ls");
  assert.ok(
    fake.out
      .join("\n")
      .split("\n")
      .every((line) => line.length <= 30),
  );
});

test("--format json prints one array", () => {
  const fake = makeFake({ view: helloView() });
  type(fake, "service ls --format json");
  const rows = JSON.parse(fake.out.join("\n")) as { service: string }[];
  assert.deepEqual(
    rows.map(({ service }) => service),
    ["hello/web", "shop/api"],
  );
});

test("ps leaves out tasks that were replaced unless --all is given", () => {
  const fake = makeFake({ view: helloView() });
  type(fake, "service ps web");
  assert.deepEqual(fake.out.join("\n").split("\n"), [
    "ID             REPLICA       NODE    STATE      SINCE           REVISION   NOTE",
    "abcdefghijk1   hello/web.1   host1   ready      6 seconds ago   01234567",
    "abcdefghijk2   hello/web.2   host2   starting   6 seconds ago   01234567",
  ]);
  const all = makeFake({ view: helloView() });
  type(all, "service ps web --all");
  assert.match(all.out.join("\n"), /host3 +ready \(superseded\) .*replaced/);
});

// What a person types, and which sentence comes back.
const slips: [line: string, sentence: RegExp][] = [
  ["service ps nothing", /no service called nothing/],
  ["service scale web", /expected SERVICE=REPLICAS/],
  ["service scale web=many", /whole number/],
  ["service scale web=100001", /0 to 100000/],
  ["service update web --update-order sideways", /start-first, stop-first/],
  ["service update web --publish-add 99999:80", /8080:80/],
  ["service update web --constraint-add x", /node.labels.zone/],
  ["service rollback web", /no revision before this one/],
  ["stack rm none", /no stack called none/],
  ["node inspect none", /no node called none/],
  ["node rm host2", /is alive/],
  ["logs", /name a service/],
  ["context use none", /no context called none/],
  ["join shoal1-xx", /not an invite/],
  ["join nonsense", /not an invite/],
  ["deploy -f none.yaml", /cannot read none.yaml/],
  ["leave", /holds no node/],
];

for (const [line, sentence] of slips) {
  test(`shoal ${line} says what is wrong and writes nothing`, () => {
    const fake = makeFake({ view: helloView() });
    const ran = type(fake, line);
    assert.equal(ran.code, 1);
    assert.match(sentences(ran).join("\n"), sentence);
    assert.equal(fake.written.size, 0);
  });
}

test("scale writes the scale document alone, signed by the person, and waits", () => {
  const fake = makeFake({ view: helloView({ tasks: [] }) });
  fake.onSleep = () => {
    fake.view = { ...fake.view, services: [serviceView("hello/web", 6, { spec: webSpec })] };
  };
  fake.view = {
    ...fake.view,
    services: [serviceView("hello/web", 6, { spec: webSpec, updated: 3 })],
  };
  assert.equal(type(fake, "service scale hello_web=6").code, 0);
  assert.deepEqual(
    [...fake.written],
    [["scale/hello/web", { kind: "scale", service: "hello/web", replicas: 6 }]],
  );
  assert.deepEqual(fake.err, ["hello/web  3/6 ready", "hello/web  6/6 ready, converged"]);
});

test("a replica that crashes in its first second has not converged", () => {
  const fake = makeFake({ view: helloView() });
  const start = fake.view;
  const services = [serviceView("hello/web", 3)];
  const [task] = start.tasks as [TaskView];
  const crashed = { ...task, state: "failed", ready: false } as const;
  const next = { ...task, task: "another" as TaskId, failures: 1 };
  fake.view = { ...start, services, tasks: [task] };
  let endedAt = 0;
  fake.onSleep = (sleeps) => {
    endedAt = sleeps;
    if (sleeps === 3) fake.view = { ...start, services, tasks: [crashed, next] };
  };
  assert.equal(type(fake, "service scale web=3").code, 0);
  assert.ok(endedAt > 25, `done after ${endedAt} looks, 5 s are 25`);
});

test("waiting ends with exit code 1 when nothing moves, and names the service's problems", () => {
  const fake = makeFake({ view: helloView() });
  const problems = [
    { code: "image-not-found", image: "hello:2", node: "host2", detail: "no such tag" },
  ] as const;
  fake.view = { ...fake.view, services: [serviceView("hello/web", 3, { updated: 0, problems })] };
  assert.equal(type(fake, "service scale web=3 --timeout 2s").code, 1);
  assert.match(fake.err.join("\n"), /cannot find image hello:2/);
  assert.match(fake.err.join("\n"), /nothing has moved for 2 s/);
});

test("waiting ends at once when the update is paused", () => {
  const fake = makeFake({ view: helloView() });
  const update = { state: "paused", message: "2 of 3 replicas failed" } as const;
  fake.view = { ...fake.view, services: [serviceView("hello/web", 3, { updated: 1, update })] };
  assert.equal(type(fake, "service scale web=3").code, 1);
  assert.match(fake.err.join("\n"), /update paused: 2 of 3 replicas failed/);
});

test("update changes what is named and keeps the rest of the spec", () => {
  const fake = makeFake({ view: helloView() });
  const line =
    "service update web --image hello:2 --env-add A=1 --env-add B=x=y --publish-add 9090:90 " +
    "--publish-rm 80 --update-parallelism 2 --limit-memory 64m --constraint-add node.labels.zone==a " +
    "--isolation majority --force --detach";
  assert.equal(type(fake, line).code, 0);
  const document = fake.written.get("service/hello/web");
  assert.ok(document?.kind === "service");
  const { spec } = document;
  assert.ok(spec.workload.kind === "container");
  assert.deepEqual([spec.workload.image, spec.workload.env], ["hello:2", { A: "1", B: "x=y" }]);
  assert.deepEqual(spec.ports, [{ published: 9090, target: 90, protocol: "tcp", mode: "ingress" }]);
  assert.deepEqual(
    [spec.update.parallelism, spec.resources.memoryLimitBytes, spec.isolation, spec.force],
    [2, 67_108_864, "majority", 1],
  );
  assert.deepEqual(spec.restart, webSpec.restart);
});

test("update without any option writes nothing", () => {
  const fake = makeFake({ view: helloView() });
  assert.equal(type(fake, "service update web").code, 0);
  assert.equal(fake.written.size, 0);
});

test("pause keeps the spec and says so in the document, resume takes it back", () => {
  const fake = makeFake({ view: helloView() });
  type(fake, "service update web --pause");
  const paused = fake.written.get("service/hello/web");
  assert.ok(paused?.kind === "service" && paused.pause === true);
  type(fake, "service update web --resume --detach");
  const resumed = fake.written.get("service/hello/web");
  assert.ok(resumed?.kind === "service" && resumed.pause === undefined);
});

function revisionView(
  revision: string,
  image: string,
  status: RevisionView["status"],
): RevisionView {
  const spec = specFrom("hello", "web", `image: ${image}`);
  return {
    revision: revision as never,
    generation: 1,
    writtenAtMs: 0,
    writer: key.id,
    status,
    spec,
  };
}

test("rollback writes the newest revision that says something else", () => {
  const history = [
    revisionView("ccc", "hello:3", "current"),
    revisionView("bbb", "hello:3", "past"),
    revisionView("aaa", "hello:2", "past"),
    revisionView("999", "hello:1", "past"),
  ];
  const spec = specFrom("hello", "web", "image: hello:3");
  const view = meshView({ services: [serviceView("hello/web", 1, { spec, history })] });
  const fake = makeFake({ view });
  type(fake, "service rollback web --detach");
  const document = fake.written.get("service/hello/web");
  assert.ok(document?.kind === "service" && document.spec.workload.kind === "container");
  assert.equal(document.spec.workload.image, "hello:2");
  type(fake, "service rollback web --to 99 --detach");
  const older = fake.written.get("service/hello/web");
  assert.ok(older?.kind === "service" && older.spec.workload.kind === "container");
  assert.equal(older.spec.workload.image, "hello:1");
});

test("rm asks first, and a no changes nothing", () => {
  const fake = makeFake({ view: helloView() });
  fake.answer = false;
  assert.equal(type(fake, "service rm web").code, 1);
  assert.equal(fake.written.size, 0);
  assert.equal(type(fake, "service rm web --yes --detach").code, 0);
  assert.deepEqual(
    [...fake.written],
    [
      ["service/hello/web", null],
      ["scale/hello/web", null],
    ],
  );
});

test("stack rm removes every service of the stack and no other", () => {
  const fake = makeFake({ view: helloView() });
  assert.equal(type(fake, "stack rm hello --yes --detach").code, 0);
  assert.deepEqual([...fake.written.keys()], ["service/hello/web", "scale/hello/web"]);
});

const files = {
  "/srv/shop/compose.yaml": "services:\n  api:\n    image: api:${TAG}\n    container_name: x\n",
  "/srv/shop/.env": "TAG=7\n",
  "/srv/shop/bad.yaml": "services:\n  api:\n    imge: x\n    prots: []\n",
};

test("deploy compiles the directory's file with its .env and leaves what it does not name", () => {
  const view = meshView({ services: [serviceView("shop/api", 1), serviceView("shop/old", 1)] });
  const fake = makeFake({ view, files });
  assert.equal(type(fake, "deploy").code, 0);
  assert.deepEqual([...fake.written.keys()], ["service/shop/api"]);
  assert.match(
    fake.err.join("\n"),
    /warning: compose.yaml:4: services.api.container_name: ignored/,
  );
  assert.match(fake.err.join("\n"), /left running: shop\/old \(--prune removes them\)/);
  assert.deepEqual(fake.out, ["stack shop: 1 to create"]);
  const document = fake.written.get("service/shop/api");
  assert.ok(document?.kind === "service" && document.spec.workload.kind === "container");
  assert.equal(document.spec.workload.image, "api:7");
});

test("deploy --prune asks with the plan in sight and removes", () => {
  const view = meshView({ services: [serviceView("shop/api", 1), serviceView("shop/old", 1)] });
  const fake = makeFake({ view, files });
  assert.equal(type(fake, "deploy --prune --yes --detach").code, 0);
  assert.match(fake.err.join("\n"), /- remove service\/shop\/old/);
  assert.equal(fake.written.get("service/shop/old"), null);
});

test("deploy writes nothing that the plan calls unchanged", () => {
  const plan = () => ({
    steps: [
      {
        action: "unchanged" as const,
        key: "service/shop/api",
        differences: [],
        placement: [],
        rejections: {},
      },
    ],
  });
  const fake = makeFake({
    view: meshView({ services: [serviceView("shop/api", 1)] }),
    files,
    plan,
  });
  assert.equal(type(fake, "deploy").code, 0);
  assert.equal(fake.written.size, 0);
  assert.deepEqual(fake.out, ["stack shop: 1 unchanged"]);
});

test("deploy reports all mistakes and writes nothing", () => {
  const fake = makeFake({ view: meshView(), files });
  const ran = type(fake, "deploy -f bad.yaml");
  assert.deepEqual(sentences(ran), [
    "bad.yaml:2: services.api: needs an image",
    'bad.yaml:3: services.api.imge: unknown key, did you mean "image"?',
    'bad.yaml:4: services.api.prots: unknown key, did you mean "ports"?',
  ]);
  assert.equal(fake.written.size, 0);
});

test("plan shows differences, places and refusals", () => {
  const plan = () => ({
    steps: [
      {
        action: "update" as const,
        key: "service/shop/api",
        differences: [{ path: "workload.image", from: '"api:6"', to: '"api:7"' }],
        placement: [
          { replica: "shop/api.1" as never, node: "n" as never, nodeName: "host1" },
          { replica: "shop/api.2" as never, node: "n" as never, nodeName: "host1" },
        ],
        rejections: { constraints: 2, resources: 0 },
      },
    ],
  });
  const fake = makeFake({ view: meshView(), files, plan });
  assert.equal(type(fake, "plan").code, 0);
  assert.deepEqual(fake.out.join("\n").split("\n"), [
    "~ update service/shop/api",
    '    workload.image: "api:6" → "api:7"',
    "    on host1 × 2",
    "    no node for some replicas: constraints ruled out 2",
  ]);
  assert.equal(fake.written.size, 0);
});

test("service create takes an image, arguments after it, and Compose's defaults", () => {
  const fake = makeFake({ view: meshView() });
  const line =
    "service create --name web --replicas 2 --publish-add 80:8080 --detach nginx:1 nginx -g x";
  assert.equal(type(fake, line).code, 0);
  const document = fake.written.get("service/default/web");
  assert.ok(document?.kind === "service" && document.spec.workload.kind === "container");
  assert.deepEqual(document.spec.workload.command, ["nginx", "-g", "x"]);
  assert.equal(document.spec.stack, undefined);
  assert.deepEqual(fake.written.get("scale/default/web"), {
    kind: "scale",
    service: "default/web",
    replicas: 2,
  });
});
