import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode, encode } from "../../crdt/codec.ts";
import type { Row, SpecDocument } from "../../model/documents.ts";
import { keyOf, mistakesIn, parseRow, parseSpecDocument } from "../../model/parse.ts";
import { compileText, shop, web } from "../cli/compose/compiled.ts";
import { mutated } from "../crdt/bytes.ts";

/** As it reaches a node: through JSON, as it is signed, and through the codec. */
function travelled(document: unknown): unknown {
  return decode(encode(JSON.parse(JSON.stringify(document))));
}

const files: readonly [what: string, text: string][] = [
  ["the shop", shop],
  ["the least there is", web()],
  [
    "the example",
    readFileSync(new URL("../../examples/hello/compose.yaml", import.meta.url), "utf8"),
  ],
  [
    "every kind of mount",
    web(
      "volumes:",
      "  - data:/data",
      "  - /anonymous",
      "  - ./here:/there:ro",
      "  - { type: tmpfs, target: /run, tmpfs: { size: 1048576, mode: 0o1777 } }",
    ).concat("\nvolumes: { data: { driver: local, driver_opts: { o: bind } } }"),
  ],
  [
    "a global service with everything about its container",
    web(
      "platform: linux/arm64/v8",
      "pull_policy: always",
      "entrypoint: [/init]",
      "command: ['']",
      "user: '1000:1000'",
      "working_dir: /srv",
      "hostname: web",
      "domainname: example.org",
      "group_add: [audio]",
      "tty: true",
      "stdin_open: true",
      "init: true",
      "privileged: true",
      "cap_add: [NET_ADMIN]",
      "security_opt: [no-new-privileges]",
      "devices: ['/dev/null:/dev/null:rwm']",
      "sysctls: { net.core.somaxconn: 1024 }",
      "extra_hosts: ['a:10.0.0.1']",
      "dns: [10.0.0.53]",
      "dns_search: [example.org]",
      "dns_opt: ['ndots:2']",
      "shm_size: 64m",
      "oom_score_adj: -500",
      "pid: host",
      "ipc: host",
      "userns_mode: host",
      "cgroup_parent: /shoal",
      "runtime: runc",
      "stop_signal: SIGQUIT",
      "healthcheck: { disable: true }",
      "deploy: { mode: global, endpoint_mode: dnsrr }",
      "labels: { a.b/c: 'd' }",
      "environment: { __A: '', B: '1' }",
    ),
  ],
];

for (const [what, text] of files) {
  test(`what is compiled from a file is read as it was written: ${what}`, () => {
    const { documents, problems } = compileText(text, {
      env: { VERSION: "1" },
      disk: { "/srv/shop/api.env": "A=1" },
    });
    assert.ok(documents.length > 0, JSON.stringify(problems));
    for (const document of documents) {
      const arrived = travelled(document);
      assert.deepEqual(mistakesIn(arrived), []);
      assert.deepEqual(parseSpecDocument(arrived), arrived);
      assert.equal(keyOf(parseSpecDocument(arrived) as SpecDocument), keyOf(document));
    }
  });
}

/** The shop's front, with one thing changed: "spec.ports.0.published" and what it is set to. */
function changed(path: string, value: unknown, document: unknown = front): unknown {
  const copy = structuredClone(document);
  const steps = path.split(".");
  let at = copy as Record<string, unknown>;
  for (const step of steps.slice(0, -1)) at = at[step] as Record<string, unknown>;
  at[steps.at(-1) as string] = value;
  return copy;
}

const { documents } = compileText(shop, {
  env: { VERSION: "1" },
  disk: { "/srv/shop/api.env": "" },
});
const front = travelled(documents.find((one) => keyOf(one) === "service/shop/front"));
const api = travelled(documents.find((one) => keyOf(one) === "service/shop/api"));
const long = (length: number) => "x".repeat(length);
const many = (length: number, item: unknown) => new Array(length).fill(item);
const constraint = { key: "node.id", operator: "==", value: "x" };

const bounds: readonly [path: string, good: readonly unknown[], bad: readonly unknown[]][] = [
  ["kind", [], ["services", null, "constructor"]],
  ["pause", [true, false], ["yes", 1]],
  [
    "spec.service",
    ["a/b", `${long(63)}/b`],
    ["web", "/", "a/", "A/b", "a/b/c", "-a/b", "a-/b", "a/b-", `${long(64)}/b`, "a/b\n"],
  ],
  ["spec.mode", ["global"], ["job"]],
  ["spec.ports.0.published", [1, 65_535], [0, 65_536, 80.5, "80", null]],
  ["spec.ports.0.protocol", ["udp"], ["sctp"]],
  ["spec.ports", [[]], [many(257, { published: 1, target: 1, protocol: "tcp", mode: "host" }), {}]],
  ["spec.expose", [["80/tcp"]], [["80"], ["80/sctp"], ["123456/tcp"], ["80/tcp\n"]]],
  ["spec.placement.algorithm", [1], [2, 0, "1"]],
  ["spec.placement.priority", [-5, 1e6], [0.5, 1e300, "1"]],
  ["spec.placement.maxPerNode", [0, 9], [-1, 0.5]],
  [
    "spec.placement.constraints",
    [many(64, constraint)],
    [many(65, constraint), [{ ...constraint, operator: "=~" }]],
  ],
  ["spec.placement.spread", [many(8, "node.id")], [many(9, "node.id"), [long(513)]]],
  ["spec.resources.memoryReservationBytes", [0, 2 ** 53 - 1], [-1, 2 ** 53, 0.5]],
  ["spec.health.liveness.retries", [1], [0]],
  ["spec.health.liveness.intervalMs", [10], [9, Number.POSITIVE_INFINITY]],
  [
    "spec.health.liveness.test",
    [
      { kind: "tcp", port: 1 },
      { kind: "http", port: 80, path: "/" },
    ],
    [
      { kind: "grpc", port: 1 },
      { kind: "tcp", port: 0 },
      { kind: "command", command: [], shell: true },
    ],
  ],
  ["spec.update.maxFailureRatio", [0, 1, 0.5], [-0.1, 1.1]],
  ["spec.update.order", ["stop-first"], ["any"]],
  ["spec.restart.condition", ["none"], ["unless-stopped"]],
  ["spec.isolation", ["majority", "stay"], ["all"]],
  ["spec.force", [1], [-1]],
  ["spec.workload.image", ["a", long(512)], ["", long(513)]],
  ["spec.workload.env", [{ A: long(131_072) }], [{ A: long(131_073) }, { A: 1 }, []]],
  ["spec.workload.command", [[], many(1024, "")], [many(1025, ""), "sh"]],
  ["spec.workload.kind", [], ["vm", "process"]],
  [
    "spec.workload.mounts",
    [[]],
    [[{ kind: "bind", source: "/a", target: "/b" }], many(257, { kind: "tmpfs", target: "/a" })],
  ],
];

for (const [path, good, bad] of bounds) {
  test(`a service document's ${path} is held to its bounds`, () => {
    for (const value of good)
      assert.deepEqual(
        mistakesIn(changed(path, value, path.includes("workload") ? api : front)),
        [],
        show(value),
      );
    for (const value of bad) {
      const document = changed(path, value);
      assert.equal(parseSpecDocument(document), undefined, show(value));
      const [mistake] = mistakesIn(document);
      assert.ok(mistake !== undefined && mistake.detail !== "");
      // A union that cannot tell which of its kinds is meant points at the whole of it.
      assert.ok(
        mistake.path.startsWith(path) || path.startsWith(mistake.path) || path.endsWith("kind"),
        mistake.path,
      );
    }
  });
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}

const documentsOf: readonly [document: unknown, isGood: boolean][] = [
  [{ kind: "scale", service: "a/b", replicas: 0 }, true],
  [{ kind: "scale", service: "a/b", replicas: 100_000 }, true],
  [{ kind: "scale", service: "a/b", replicas: 100_001 }, false],
  [{ kind: "scale", service: "a/b", replicas: -1 }, false],
  [{ kind: "scale", service: "a", replicas: 1 }, false],
  [{ kind: "node", node: "12D3", availability: "drain", labels: { zone: "a" } }, true],
  [{ kind: "node", node: "12D3", availability: "away", labels: {} }, false],
  [{ kind: "node", node: "12D3", availability: "active", labels: { zone: 1 } }, false],
  [{ kind: "node", node: "12D3", availability: "active" }, false],
  [null, false],
  [[], false],
  ["service", false],
  [new Uint8Array(3), false],
];

for (const [document, isGood] of documentsOf) {
  test(`the document ${show(document)} is ${isGood ? "read" : "refused"}`, () => {
    assert.equal(parseSpecDocument(document) !== undefined, isGood);
    assert.equal(mistakesIn(document).length === 0, isGood);
  });
}

test("all mistakes are named at once", () => {
  const document = changed("spec.isolation", "all", changed("spec.ports.0.target", 0));
  assert.deepEqual(
    mistakesIn(document)
      .map(({ path }) => path)
      .sort(),
    ["spec.isolation", "spec.ports.0.target"],
  );
});

test("what a later version adds is left out, and no mistake", () => {
  const document = changed("spec.workload.invented", { deep: [1] }, changed("invented", 1));
  assert.deepEqual(parseSpecDocument(document), front);
});

const node = {
  kind: "node",
  name: "host",
  addresses: ["/ip4/10.0.0.1/tcp/7946"],
  probePort: 7946,
  version: "0.1.0",
  protocol: [1, 1],
  os: "linux",
  arch: "x64",
  engines: ["docker"],
  cpuMilli: 8000,
  memoryBytes: 1e9,
  labels: { zone: "a" },
  subnet: "10.210.1.0/24",
  dataPath: "userspace",
  ailments: [],
};
const task = {
  kind: "task",
  task: "shop/web.1.abcdefghijkl",
  replica: "shop/web.1",
  service: "shop/web",
  revision: "0".repeat(32),
  engine: "docker",
  state: "running",
  ready: true,
  health: "none",
  createdAtMs: 1,
  changedAtMs: 2,
  failures: 0,
  endpoint: { address: "10.0.0.1", ports: { "80/tcp": 8080 } },
  exitCode: -1,
  reason: "",
};
const noFit = {
  kind: "no-fit",
  replica: "a/b.12D3KooWx",
  revision: "f".repeat(32),
  reason: "",
  untilMs: 9,
};
const accuse = { kind: "accuse", accused: "12D3", incarnation: 3 };

const rows: readonly [row: object, path: string, bad: readonly unknown[]][] = [
  [node, "probePort", [-1, 65_536, "1"]],
  [node, "addresses", [many(9, "/ip4/1.1.1.1"), [long(513)], "x"]],
  [node, "protocol", [[1], [1, 2, 3], [-1, 2]]],
  [node, "engines", [["podman"], many(5, "docker")]],
  [node, "memoryBytes", [-1, 1.5, 2 ** 60, null]],
  [node, "ailments", [many(33, "x")]],
  [node, "labels", [{ a: 1 }, null]],
  [node, "dataPath", ["hardware"]],
  [task, "replica", ["a/b", "a.1", "A/b.1", "a/b.1 ", "a/b.", `a/b.${long(256)}`]],
  [task, "service", ["a", "a/b/c"]],
  [task, "revision", ["0", "g".repeat(32), "0".repeat(33)]],
  [task, "state", ["pending", 1]],
  [task, "ready", ["yes", null]],
  [task, "failures", [-1, 0.5]],
  [
    task,
    "endpoint",
    [
      { address: "a" },
      { address: "a", ports: { "80": 80 } },
      { address: "a", ports: { "80/tcp": 0 } },
    ],
  ],
  [task, "reason", [long(4097)]],
  [noFit, "untilMs", [-1, "later"]],
  [noFit, "revision", [""]],
  [accuse, "incarnation", [-1, 0.5]],
  [accuse, "accused", [long(513), 1]],
];

for (const [row, path, bad] of rows) {
  test(`a row's ${(row as Row).kind}.${path} is held to its bounds`, () => {
    assert.deepEqual(parseRow(row), row);
    for (const value of bad)
      assert.equal(parseRow({ ...row, [path]: value }), undefined, show(value));
  });
}

test("whatever bytes say, reading them throws nothing", () => {
  const seeds = [front, api, node, task, noFit, accuse].map((one) => encode(one));
  let read = 0;
  for (const bytes of mutated(seeds, 30_000, 21)) {
    const value = decode(bytes);
    const [document, row] = [parseSpecDocument(value), parseRow(value)];
    if (document !== undefined || row !== undefined) read++;
    assert.equal(document === undefined, mistakesIn(value).length > 0);
  }
  assert.ok(read > 100, `${read} were read`);
});
