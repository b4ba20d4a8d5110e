import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mistakesIn } from "../../../model/parse.ts";
import { explain, isWarning } from "../../../model/problem.ts";
import { compileText, show, specOf } from "./compiled.ts";

/** One service called web with these lines. */
function web(...lines: string[]): string {
  return ["services:", "  web:", "    image: nginx", ...lines.map((line) => `    ${line}`)].join(
    "\n",
  );
}

const shop = `
name: shop
x-logging: &logging
  logging: { driver: json-file, options: { max-size: 10m } }
x-env: &env
  TZ: \${TZ:-UTC}

services:
  front:
    <<: *logging
    image: registry.example:5000/shop/front:\${VERSION:?say which}
    ports: ["80:8080", "443:8443/tcp", "9000-9001:9000-9001/udp"]
    environment: { <<: *env, API: "http://api:3000", DEBUG: false, NOTHING: }
    depends_on:
      api: { condition: service_healthy }
    healthcheck:
      test: ["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"]
      interval: 10s
      timeout: 2s
      retries: 5
      start_period: 30s
    deploy:
      replicas: 4
      labels: ["tier=front"]
      update_config: { parallelism: 2, delay: 5s, failure_action: rollback, order: start-first }
      restart_policy: { condition: on-failure, max_attempts: 3, window: 2m }
      placement:
        constraints: ["node.labels.zone == a", node.role != manager]
        preferences: [{ spread: node.labels.rack }]
      resources:
        limits: { cpus: "0.5", memory: 128M }
        reservations: { memory: 64M }
  api:
    <<: *logging
    image: shop/api
    command: node server.js --name 'the api'
    expose: [3000]
    env_file: [api.env]
    stop_grace_period: 1m
    cap_drop: [ALL]
    read_only: true
    tmpfs: /tmp:size=64m,mode=1777
    ulimits: { nofile: { soft: 1024, hard: 2048 }, nproc: 64 }
  db:
    image: postgres:16
    restart: unless-stopped
    volumes:
      - data:/var/lib/postgresql/data
      - ./init:/docker-entrypoint-initdb.d:ro
volumes:
  data:
`;

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

test("a process needs a command and no image, and refuses what needs a container", () => {
  const text = `services:
  web:
    command: [node, server.js]
    x-shoal: { engine: process, health: { readiness: { http: { port: 80 }, interval: 1s } } }
    user: nobody
`;
  const { problems } = compileText(text);
  assert.deepEqual(problems.map(show), ["5 key-unsupported services.web.user"]);
  const { workload, health } = specOf(text.replace("    user: nobody\n", ""));
  assert.deepEqual(workload, { kind: "process", command: ["node", "server.js"], env: {} });
  assert.deepEqual(health.readiness?.test, { kind: "http", port: 80, path: "/" });
  assert.equal(health.readiness?.intervalMs, 1000);
});

test("derived ports are the same at every deployment and differ between services", () => {
  const first = specOf(web("ports: [80]"));
  const again = specOf(web("user: x", "ports: [80]"));
  const other = specOf(web("ports: [80]"), "web", { stack: "other" });
  assert.deepEqual(first.ports, again.ports);
  assert.notDeepEqual(first.ports, other.ports);
  assert.ok(first.ports.every(({ published }) => published >= 30_000 && published < 32_768));
});

test("the command's stack wins over the file's, the file's over the directory's", () => {
  assert.equal(compileText(`name: one\n${web()}`, { stack: "two" }).stack, "two");
  assert.equal(compileText(`name: one\n${web()}`).stack, "one");
  assert.equal(compileText(web(), { directory: "/srv/My_App 2" }).stack, "my-app-2");
  assert.deepEqual(compileText(`name: No_Name\n${web()}`).problems.map(show), [
    "1 value-invalid name",
  ]);
});

test("profiles leave services out unless they are named", () => {
  const text = `${web()}\n  debug:\n    image: debug\n    profiles: [tools]\n`;
  assert.equal(compileText(text).documents.length, 1);
  assert.equal(compileText(text, { profiles: ["tools"] }).documents.length, 2);
  assert.equal(compileText(text, { profiles: ["*"] }).documents.length, 2);
});

test("a later file overrides an earlier one, and its problems name it", () => {
  const over = "services:\n  web:\n    image: nginx:2\n    container_name: x\n    nonsense: 1\n";
  const { problems } = compileText([web("environment: [A=1]"), over]);
  assert.deepEqual(
    problems.map((problem) => ("file" in problem ? `${problem.file}:${show(problem)}` : "")),
    [
      "compose.1.yaml:4 key-ignored services.web.container_name",
      "compose.1.yaml:5 key-unknown services.web.nonsense",
    ],
  );
});

test("a service extends another one of the same files", () => {
  const text = `${web("environment: { A: 1 }", "user: app")}\n  api: { extends: web, image: api, environment: { B: 2 } }\n`;
  const { workload } = specOf(text, "api");
  assert.ok(workload.kind === "container");
  assert.deepEqual(
    [workload.image, workload.user, workload.env],
    ["api", "app", { A: "1", B: "2" }],
  );
});

test("services that extend each other in a circle are a problem", () => {
  const text = "services:\n  a: { extends: b, image: x }\n  b: { extends: a, image: x }\n";
  const codes = compileText(text).problems.map(({ code }) => code);
  assert.ok(codes.length > 0 && codes.every((code) => code === "value-invalid"));
});

test("unset variables are blank with a warning, required ones an error", () => {
  const { problems } = compileText(web("user: $NOBODY", "hostname: ${HOST:?name the host}"));
  assert.deepEqual(problems.map(explain), [
    "compose.yaml:4: services.web.user: variable NOBODY is not set: blank is used",
    "compose.yaml:5: variable HOST is not set: name the host",
  ]);
});

test("one network that keeps services apart is one warning", () => {
  const text = `${web("networks: [back]")}\nnetworks:\n  back: { driver: overlay }\n`;
  assert.deepEqual(compileText(text).problems.map(show), ["5 key-ignored networks"]);
  const internal = `${web()}\nnetworks: { default: { internal: true } }\n`;
  assert.deepEqual(compileText(internal).problems.map(show), [
    "4 key-unsupported networks.default.internal",
  ]);
});

test("a file that is no map, or empty, is one clear problem", () => {
  for (const text of ["", "just text", "- a list", "name: x"]) {
    const { documents, problems } = compileText(text);
    assert.deepEqual(documents, []);
    assert.equal(problems.length, 1, text);
  }
});

test("a mutated file compiles or is refused, and never throws", () => {
  const lines = shop.split("\n");
  const mutation = fc.record({
    line: fc.nat(lines.length - 1),
    kind: fc.constantFrom("drop", "swap", "cut", "retype"),
    value: fc.constantFrom(
      "[]",
      "{}",
      "~",
      "-1",
      "x: y",
      "'",
      "*a",
      "99999999999999999999",
      "\u0000",
    ),
  });
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      const text = [...lines];
      for (const { line, kind, value } of mutations) {
        const old = text[line] ?? "";
        if (kind === "drop") text[line] = "";
        else if (kind === "swap") text[line] = old.split("").reverse().join("");
        else if (kind === "cut") text[line] = old.slice(0, old.length / 2);
        else text[line] = old.replace(/: .*/, `: ${value}`);
      }
      const { documents, problems } = compileText(text.join("\n"), { env: { VERSION: "1" } });
      if (documents.length === 0) assert.ok(problems.some((problem) => !isWarning(problem)));
      problems.forEach(explain);
      for (const document of documents) {
        assert.deepEqual(mistakesIn(JSON.parse(JSON.stringify(document))), []);
      }
    }),
    { numRuns: 500 },
  );
});
