import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesIn } from "../../../model/parse.ts";
import { explain, isWarning } from "../../../model/problem.ts";
import { compileText, shop, show, specOf, web } from "./compiled.ts";

test("a shop of three services compiles whole", () => {
  const disk = { "/srv/shop/api.env": "DB=postgres://db/shop # main\nTOKEN='a$b'\n" };
  const options = { env: { VERSION: "2" }, disk };
  const { stack, documents, problems } = compileText(shop, options);
  assert.deepEqual(problems.filter((problem) => !isWarning(problem)).map(explain), []);
  assert.equal(stack, "shop");
  const keys = documents.map((one) => {
    return one.kind === "service"
      ? one.spec.service
      : `${one.kind} ${"replicas" in one ? one.replicas : ""}`;
  });
  assert.deepEqual(keys, ["shop/front", "scale 4", "shop/api", "shop/db"]);
  for (const document of documents) {
    assert.deepEqual(mistakesIn(JSON.parse(JSON.stringify(document))), []);
  }
});

test("what a web front says arrives in its spec", () => {
  const spec = specOf(shop, "front", { env: { VERSION: "2" }, disk: { "/srv/shop/api.env": "" } });
  assert.ok(spec.workload.kind === "container");
  assert.equal(spec.workload.image, "registry.example:5000/shop/front:2");
  assert.deepEqual(spec.workload.env, { TZ: "UTC", API: "http://api:3000", DEBUG: "false" });
  assert.deepEqual(spec.workload.logging, { driver: "json-file", options: { "max-size": "10m" } });
  const shown = spec.ports.map((port) => `${port.published}:${port.target}/${port.protocol}`);
  assert.deepEqual(shown, ["80:8080/tcp", "443:8443/tcp", "9000:9000/udp", "9001:9001/udp"]);
  assert.deepEqual(spec.health.liveness, {
    test: { kind: "command", command: ["curl -f http://localhost:8080/ || exit 1"], shell: true },
    intervalMs: 10_000,
    timeoutMs: 2_000,
    retries: 5,
    startPeriodMs: 30_000,
  });
  assert.deepEqual(spec.placement.constraints, [
    { key: "node.labels.zone", operator: "==", value: "a" },
  ]);
  assert.deepEqual(spec.placement.spread, ["node.labels.rack"]);
  assert.deepEqual(spec.resources, {
    cpuLimitMilli: 500,
    memoryLimitBytes: 134_217_728,
    memoryReservationBytes: 67_108_864,
  });
  const { update, restart, labels } = spec;
  assert.deepEqual(
    [update.parallelism, update.delayMs, update.failureAction],
    [2, 5000, "rollback"],
  );
  assert.deepEqual(
    [restart.condition, restart.maxAttempts, restart.windowMs],
    ["on-failure", 3, 120_000],
  );
  assert.deepEqual(labels, { tier: "front" });
});

test("a container's own side arrives in its spec", () => {
  const disk = { "/srv/shop/api.env": "DB=postgres://db/shop # main\nTOKEN='a$b'\n" };
  const { workload } = specOf(shop, "api", { env: { VERSION: "2" }, disk });
  assert.ok(workload.kind === "container");
  assert.deepEqual(workload.command, ["node", "server.js", "--name", "the api"]);
  assert.deepEqual(workload.env, { DB: "postgres://db/shop", TOKEN: "a$b" });
  assert.deepEqual(workload.mounts, [
    { kind: "tmpfs", target: "/tmp", sizeBytes: 67_108_864, mode: 0o1777 },
  ]);
  assert.deepEqual(workload.ulimits, [
    { name: "nofile", soft: 1024, hard: 2048 },
    { name: "nproc", soft: 64, hard: 64 },
  ]);
  assert.deepEqual(
    [workload.capDrop, workload.readOnly, workload.stopGraceMs],
    [["ALL"], true, 60_000],
  );
});

test("a database with a volume stays with its node and stops before it starts anew", () => {
  const spec = specOf(shop, "db", { env: { VERSION: "2" }, disk: { "/srv/shop/api.env": "" } });
  assert.ok(spec.workload.kind === "container");
  assert.deepEqual(spec.workload.mounts, [
    { kind: "volume", source: "shop_data", target: "/var/lib/postgresql/data", readOnly: false },
    {
      kind: "bind",
      source: "/srv/shop/init",
      target: "/docker-entrypoint-initdb.d",
      readOnly: true,
    },
  ]);
  assert.deepEqual([spec.isolation, spec.update.order], ["stay", "stop-first"]);
});

test("six mistakes are reported at once, each with its line", () => {
  const text = `services:
  web:
    imge: nginx
    ports: ["99999:80"]
    deploy:
      replicas: many
      update_config: { order: sideways }
    volumes: ["data:/data"]
`;
  const { documents, problems } = compileText(text);
  assert.deepEqual(documents, []);
  assert.deepEqual(problems.map(show), [
    "2 value-invalid services.web",
    "3 key-unknown services.web.imge",
    "4 value-invalid services.web.ports[0]",
    "6 value-invalid services.web.deploy.replicas",
    "7 value-invalid services.web.deploy.update_config.order",
    "8 value-invalid services.web.volumes[0]",
  ]);
  const [, unknown] = problems.map(explain);
  assert.equal(unknown, 'compose.yaml:3: services.web.imge: unknown key, did you mean "image"?');
});

// Lines of service web (after services:, web:, image:) and the problems, line included.
const standings: [name: string, lines: string[], problems: string[]][] = [
  ["extensions are free", ["x-mine: { a: [1] }"], []],
  [
    "an unknown key in a known map",
    ["healthcheck: { tst: x }"],
    ["4 key-unknown services.web.healthcheck.tst"],
  ],
  [
    "an unknown key of x-shoal",
    ["x-shoal: { isolate: run }"],
    ["4 key-unknown services.web.x-shoal.isolate"],
  ],
  ["container_name", ["container_name: x"], ["4 key-ignored services.web.container_name"]],
  ["depends_on", ["depends_on: [db]"], ["4 key-ignored services.web.depends_on"]],
  ["secrets", ["secrets: [s]"], ["4 key-unsupported services.web.secrets"]],
  ["no secrets after all", ["secrets: []"], []],
  ["links without alias", ["links: [db]"], ["4 key-ignored services.web.links[0]"]],
  ["links with alias", ["links: ['db:base']"], ["4 key-unsupported services.web.links[0]"]],
  [
    "a fixed address",
    ["networks: { back: { ipv4_address: 10.0.0.2 } }"],
    ["4 key-unsupported services.web.networks.back.ipv4_address"],
  ],
  ["its own name as alias", ["networks: { back: { aliases: [web] } }"], []],
  [
    "another name",
    ["networks: { back: { aliases: [www] } }"],
    ["4 key-unsupported services.web.networks.back.aliases[0]"],
  ],
  [
    "a neighbour's network",
    ["network_mode: service:db"],
    ["4 key-unsupported services.web.network_mode"],
  ],
  ["the host's network", ["network_mode: host"], []],
  ["one address", ["ports: ['127.0.0.1:80:80']"], ["4 key-unsupported services.web.ports[0]"]],
  ["any address", ["ports: ['0.0.0.0:80:80', '[::]:81:81']"], []],
  ["a port without a number", ["ports: ['80']"], ["4 value-assumed services.web.ports[0]"]],
  ["ranges of two lengths", ["ports: ['80-82:80-81']"], ["4 value-invalid services.web.ports[0]"]],
  ["a port twice", ["ports: ['80:80', '80:81']"], ["4 value-invalid services.web.ports"]],
  ["jobs", ["deploy: { mode: replicated-job }"], ["4 key-unsupported services.web.deploy.mode"]],
  [
    "replicas of a global service",
    ["deploy: { mode: global, replicas: 2 }"],
    ["4 value-invalid services.web.deploy.replicas"],
  ],
  [
    "GPUs",
    ["deploy: { resources: { reservations: { devices: [{ driver: nvidia }] } } }"],
    ["4 key-unsupported services.web.deploy.resources.reservations.devices"],
  ],
  [
    "a reservation above the limit",
    ["deploy: { resources: { limits: { memory: 1m }, reservations: { memory: 2m } } }"],
    ["4 value-invalid services.web.deploy.resources.reservations.memory"],
  ],
  [
    "workers",
    ["deploy: { placement: { constraints: [node.role == worker] } }"],
    ["4 key-ignored services.web.deploy.placement.constraints[0]"],
  ],
  [
    "no such property",
    ["deploy: { placement: { constraints: [engine.labels.x == y] } }"],
    ["4 value-invalid services.web.deploy.placement.constraints[0]"],
  ],
  ["a template", ["hostname: '{{.Node.Hostname}}'"], ["4 key-unsupported services.web.hostname"]],
  ["Go templates of others", ["environment: ['F={{.Name}}']"], []],
  ["a missing env file", ["env_file: none.env"], ["4 value-invalid services.web.env_file"]],
  ["an optional env file", ["env_file: [{ path: none.env, required: false }]"], []],
  ["a list where a map belongs", ["deploy: [1]"], ["4 value-invalid services.web.deploy"]],
  [
    "text where a map belongs",
    ["deploy: { resources: much }"],
    ["4 value-invalid services.web.deploy.resources"],
  ],
  ["an undeclared volume", ["volumes: ['data:/d']"], ["4 value-invalid services.web.volumes[0]"]],
  [
    "mount propagation",
    ["volumes: ['/:/host:ro,rslave']"],
    ["4 key-ignored services.web.volumes[0]"],
  ],
  ["building beside an image", ["build: ."], ["4 key-ignored services.web.build"]],
  [
    "checks without a test",
    ["healthcheck: { interval: 1s }"],
    ["4 key-unsupported services.web.healthcheck"],
  ],
  ["a check that is not off", ["healthcheck: { disable: false }"], []],
];

for (const [name, lines, expected] of standings) {
  test(`${name}: ${expected[0] ?? "no problem"}`, () => {
    assert.deepEqual(compileText(web(...lines)).problems.map(show), expected);
  });
}

// What `restart` and `deploy.restart_policy` become.
const restarts: [line: string, condition: string, maxAttempts: number][] = [
  ["restart: always", "any", 0],
  ["restart: unless-stopped", "any", 0],
  ["restart: no", "none", 0],
  ["restart: 'no'", "none", 0],
  ["restart: on-failure", "on-failure", 0],
  ["restart: on-failure:5", "on-failure", 5],
  ["deploy: { restart_policy: { condition: unless-stopped } }", "any", 0],
  ["deploy: { restart_policy: { condition: none } }", "none", 0],
  ["init: true", "any", 0],
];

for (const [line, condition, maxAttempts] of restarts) {
  test(`${line} restarts on ${condition}, ${maxAttempts || "unlimited"} times`, () => {
    const { restart } = specOf(web(line));
    assert.deepEqual([restart.condition, restart.maxAttempts], [condition, maxAttempts]);
  });
}

// Which task comes first in an update.
const orders: [name: string, lines: string[], order: string, isolation: string][] = [
  ["nothing shared", [], "start-first", "run"],
  ["a host port", ["ports: [{ target: 80, published: 80, mode: host }]"], "stop-first", "run"],
  ["the host's network", ["network_mode: host"], "stop-first", "run"],
  ["a volume", ["volumes: ['v:/v']"], "stop-first", "stay"],
  ["a volume, three replicas", ["volumes: ['v:/v']", "scale: 3"], "start-first", "stay"],
  ["a volume only read", ["volumes: ['v:/v:ro']"], "start-first", "run"],
  ["a volume of the network", ["volumes: ['nfs:/v']"], "start-first", "run"],
  ["a volume, global", ["volumes: ['v:/v']", "deploy: { mode: global }"], "stop-first", "run"],
  [
    "its own word",
    [
      "volumes: ['v:/v']",
      "deploy: { update_config: { order: start-first } }",
      "x-shoal: { isolation: majority }",
    ],
    "start-first",
    "majority",
  ],
];

for (const [name, lines, order, isolation] of orders) {
  test(`with ${name} an update is ${order}, a cut-off replica is to ${isolation}`, () => {
    const volumes = "\nvolumes: { v: , nfs: { driver_opts: { type: nfs, o: addr=10.0.0.9 } } }\n";
    const spec = specOf(web(...lines) + volumes);
    assert.deepEqual([spec.update.order, spec.isolation], [order, isolation]);
  });
}
