import assert from "node:assert/strict";
import { test } from "node:test";
import { Handler } from "../../api/handler.ts";
import { type RouteName, routes } from "../../api/routes.ts";
import { OperationError, type Problem } from "../../model/problem.ts";
import { requestWindowMs } from "../../trust/request.ts";
import { FakeBackend, mesh, people, revoke, service, task } from "./fake-backend.ts";
import { local, type Made, make, overLink, told } from "./requests.ts";

const webTask = "hello/web.1.abc";

function open(): { backend: FakeBackend; handler: Handler } {
  const backend = new FakeBackend();
  backend.show({ services: [service("hello/web")], tasks: [task(webTask, backend.self)] });
  backend.sessions.write(webTask, 10, "one");
  return { backend, handler: new Handler(backend) };
}

/** A request that its route takes, so that only who asks decides. */
function good(name: RouteName, backend: FakeBackend): Made {
  const { method, path } = routes[name];
  const bodies: Partial<Record<RouteName, unknown>> = {
    drafts: { keys: ["service/hello/web"] },
    write: { revisions: [], facts: [] },
    plan: { documents: [], removals: ["service/hello/web"] },
    logs: { service: "hello/web", follow: false },
    exec: { command: ["exit", "0"], tty: false, stdin: false, env: {} },
    leave: { node: backend.self },
  };
  const query = name === "exec" || name === "stats" ? `?task=${encodeURIComponent(webTask)}` : "";
  return { method, path: `${path}${query}`, body: bodies[name] };
}

const names = Object.keys(routes) as RouteName[];
const ranks = { none: 0, viewer: 1, operator: 2, admin: 3 } as const;

for (const name of names) {
  test(`${name} is for ${routes[name].role} and whoever is more, and for the local root`, async () => {
    const { backend, handler } = open();
    const ask = async (made: Made) => (await told(handler, make(made))).codes;
    const request = good(name, backend);
    const needs = ranks[routes[name].role];
    for (const role of ["viewer", "operator", "admin"] as const) {
      const codes = await ask({ ...request, by: people[role] });
      assert.deepEqual(codes, ranks[role] >= needs ? [] : ["not-authorised"], role);
    }
    assert.deepEqual(await ask({ ...request, by: people.stranger }), ["not-authorised"]);
    assert.deepEqual(await ask({ ...request, by: people.revoked }), ["not-authorised"]);
    assert.deepEqual(await ask(request), needs === 0 ? [] : ["signature-invalid"]);
    assert.deepEqual(await ask({ ...request, origin: local }), []);
    assert.deepEqual(await ask({ ...request, origin: local, by: people.stranger }), []);
  });
}

test("facts are for admins, even from somebody who may write specs", async () => {
  const { backend, handler } = open();
  const body = { revisions: [], facts: ["AAAA"] };
  const request = { method: "POST", path: "/v1/writes", body };
  const asOperator = await told(handler, make({ ...request, by: people.operator }));
  assert.deepEqual(asOperator.codes, ["not-authorised"]);
  assert.equal(backend.written.length, 0);
  const asAdmin = await told(handler, make({ ...request, by: people.admin }));
  assert.deepEqual(asAdmin.body, { revisions: [], peers: 2 });
  assert.deepEqual(backend.written, [{ revisions: [], facts: [new Uint8Array(3)] }]);
});

test("what the agent refuses is refused with all its problems", async () => {
  const { backend, handler } = open();
  const claimed = { port: 80, protocol: "tcp", service: "a/b", holder: "c/d" };
  const problems: Problem[] = [
    { code: "port-claimed", ...claimed },
    { code: "disk-full", path: "/" },
  ];
  backend.refusal = problems;
  const body = { revisions: ["AA=="], facts: [] };
  const made = { method: "POST", path: "/v1/writes", body, by: people.operator };
  const { status, body: answer } = await told(handler, make(made));
  assert.equal(status, 409);
  assert.deepEqual(answer, { problems });
});

test("a token is good once, whatever it asks for", async () => {
  const { handler } = open();
  const request = make({ by: people.viewer });
  assert.equal((await told(handler, request)).status, 200);
  const again = await told(handler, request);
  assert.equal(again.status, 401);
  assert.deepEqual(again.codes, ["signature-invalid"]);
});

test("a token is good once over the socket as well", async () => {
  const { handler } = open();
  const request = make({ by: people.viewer, origin: local });
  assert.equal((await told(handler, request)).status, 200);
  assert.equal((await told(handler, request)).status, 401);
});

test("strangers use up no nonces", async () => {
  const { handler } = open();
  for (let times = 0; times < 10; times++) await told(handler, make({ by: people.stranger }));
  assert.equal(handler.counters()["api-nonces"], 0);
});

const age: [string, number, number][] = [
  ["just in time", requestWindowMs, 200],
  ["too late", requestWindowMs + 1, 401],
  ["from a clock a minute ahead", -requestWindowMs, 200],
  ["from a clock further ahead", -requestWindowMs - 1, 401],
];
for (const [name, ageMs, status] of age) {
  test(`a token that comes ${name} gets ${status}`, async () => {
    const { backend, handler } = open();
    const request = make({ by: people.viewer, atMs: backend.nowMs - ageMs });
    const answer = await told(handler, request);
    assert.equal(answer.status, status);
    assert.deepEqual(answer.codes, status === 200 ? [] : ["request-expired"]);
  });
}

test("a token is good for the request it was made for, and no other", async () => {
  const { handler } = open();
  const signed = make({
    method: "POST",
    path: "/v1/drafts",
    body: { keys: ["a"] },
    by: people.operator,
  });
  const tampered = [
    { ...signed, body: new TextEncoder().encode('{"keys":["b"]}') },
    { ...signed, path: "/v1/plan" },
    { ...signed, path: "/v1/drafts?x=1" },
    { ...signed, authorization: `${signed.authorization}A` },
    { ...signed, authorization: signed.authorization?.replace("Shoal", "Bearer") },
    { ...signed, authorization: "Shoal" },
    { ...signed, authorization: "" },
    { ...signed, authorization: `Shoal ${"A".repeat(5000)}` },
  ];
  for (const request of tampered) {
    const { status, codes } = await told(handler, request);
    assert.deepEqual([status, codes], [401, ["signature-invalid"]]);
  }
  const foreign = await told(handler, make({ by: people.viewer, mesh: "another" }));
  assert.deepEqual([foreign.status, foreign.codes], [401, ["mesh-mismatch"]]);
  assert.equal((await told(handler, signed)).status, 200);
});

test("routes that are not there are named, cut short", async () => {
  const { handler } = open();
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/v1/"],
    ["DELETE", "/v1/view"],
    ["GET", "/v1/view/"],
    ["GET", `/${"x".repeat(10_000)}`],
  ] as const) {
    const { status, codes, body } = await told(handler, make({ method, path, origin: local }));
    assert.deepEqual([status, codes], [404, ["route-unknown"]]);
    assert.ok(JSON.stringify(body).length < 400);
  }
});

const wrong: [name: string, path: string, body: unknown, place: RegExp][] = [
  ["a body that is missing", "/v1/drafts", undefined, /body.keys/],
  ["a key too many", "/v1/drafts", { keys: [], more: 1 }, /more/],
  ["keys that are none", "/v1/drafts", { keys: [1, ""] }, /body.keys.0.*body.keys.1/s],
  ["bytes that are not base64", "/v1/writes", { revisions: ["?"], facts: [] }, /revisions.0/],
  ["documents that are none", "/v1/plan", { documents: [{ kind: "x" }], removals: [] }, /doc.*0/],
  ["two subjects of logs", "/v1/logs", { task: "a", service: "b", follow: true }, /one of/],
  ["no subject of logs", "/v1/logs", { follow: true }, /one of/],
  ["a number that is a text", "/v1/logs", { task: "a", follow: true, tail: "5" }, /body.tail/],
];
for (const [name, path, body, place] of wrong) {
  test(`${name}: the problem says where`, async () => {
    const { handler } = open();
    const { status, body: answer } = await told(
      handler,
      make({ method: "POST", path, body, origin: local }),
    );
    assert.equal(status, 400);
    assert.match(JSON.stringify(answer), place);
  });
}

const noJson: [name: string, bytes: Uint8Array][] = [
  ["cut short", new TextEncoder().encode('{"keys":')],
  ["not UTF-8", new Uint8Array([0x22, 0xff, 0xfe, 0x22])],
  ["deeper than any request", new TextEncoder().encode("[".repeat(1000) + "]".repeat(1000))],
  ["deep after a text full of brackets", new TextEncoder().encode(`["\\"[",${"[".repeat(40)}`)],
];
for (const [name, bytes] of noJson) {
  test(`a body that is ${name} is a problem`, async () => {
    const { handler } = open();
    const made = { method: "POST", path: "/v1/drafts", bytes, origin: local };
    const { status, codes } = await told(handler, make(made));
    assert.deepEqual([status, codes], [400, ["request-invalid"]]);
  });
}

test("brackets within texts count as text", async () => {
  const { handler } = open();
  const body = { keys: ["[".repeat(100), '\\"{{{'.repeat(20)] };
  const made = { method: "POST", path: "/v1/drafts", body, origin: local };
  assert.equal((await told(handler, make(made))).status, 200);
});

test("somebody who may not ask has nothing parsed", async () => {
  const { handler } = open();
  const bytes = new TextEncoder().encode("{{{");
  const made = { method: "POST", path: "/v1/drafts", bytes, by: people.viewer };
  assert.deepEqual((await told(handler, make(made))).codes, ["not-authorised"]);
});

test("leaving is for the node that is named, so that no node can pass it on to another", async () => {
  const { backend, handler } = open();
  const made = { method: "POST", path: "/v1/leave", body: { node: "other" }, by: people.admin };
  assert.equal((await told(handler, make(made))).status, 400);
  assert.equal(backend.left, 0);
  const body = { node: backend.self };
  assert.equal((await told(handler, make({ ...made, body }))).status, 200);
  assert.equal(backend.left, 1);
});

test("the facts of the trust log and the counters are told", async () => {
  const { backend, handler } = open();
  const trust = await told(handler, make({ path: "/v1/trust", by: people.viewer }));
  assert.equal((trust.body as { facts: string[] }).facts.length, backend.trustFacts().length);
  const state = await told(handler, make({ path: "/v1/state", by: people.viewer }));
  const counters = state.body as Record<string, number>;
  assert.equal(counters["frames-dropped"], 3);
  assert.equal(counters["api-requests"], 2);
  const version = await told(handler, make({ path: "/v1/version" }));
  assert.deepEqual(version.body, { version: "0.1.0", mesh, node: backend.self });
});

test("a bug of the agent's is no problem of the caller's: it is thrown", async () => {
  const { backend, handler } = open();
  backend.view = () => {
    throw new TypeError("undefined is not a function");
  };
  await assert.rejects(handler.handle(make({ by: people.viewer })), TypeError);
});

test("whoever loses the role loses the stream, and is told why", async () => {
  const { backend, handler } = open();
  const answer = await handler.handle(make({ path: "/v1/events", by: people.viewer }));
  assert.equal(answer.kind, "lines");
  if (answer.kind !== "lines") return;
  const iterator = answer.lines[Symbol.asyncIterator]();
  const next = iterator.next();
  backend.learn(revoke(people.viewer));
  await assert.rejects(next, (error) => {
    return error instanceof OperationError && error.problems[0]?.code === "not-authorised";
  });
  assert.equal(backend.listeners.size, 0);
});

test("a task on another node is out of reach for unsigned and for passed-on requests", async () => {
  const { backend, handler } = open();
  const elsewhere = "hello/web.2.def";
  backend.show({ tasks: [task(elsewhere, "other" as never)] });
  const path = `/v1/stats?task=${elsewhere}`;
  const unsigned = await told(handler, make({ path, origin: local }));
  assert.deepEqual([unsigned.status, unsigned.codes], [403, ["not-authorised"]]);
  const passed = await told(handler, make({ path, by: people.viewer, only: true }));
  assert.deepEqual([passed.status, passed.codes], [404, ["task-unknown"]]);
  const down = await told(handler, make({ path, by: people.viewer }));
  assert.deepEqual([down.status, down.codes], [503, ["node-down"]]);
  const logs = { method: "POST", path: "/v1/logs", body: { service: "hello/web", follow: true } };
  const unsignedLogs = await told(handler, make({ ...logs, origin: local }));
  assert.deepEqual(unsignedLogs.codes, ["not-authorised"]);
});

test("names that nothing has are unknown", async () => {
  const { handler } = open();
  const codes = async (made: Made) =>
    (await told(handler, make({ origin: overLink, by: people.operator, ...made }))).codes;
  const logs = { method: "POST", path: "/v1/logs" };
  assert.deepEqual(await codes({ ...logs, body: { service: "no/no", follow: false } }), [
    "service-unknown",
  ]);
  assert.deepEqual(await codes({ ...logs, body: { stack: "no", follow: false } }), [
    "stack-unknown",
  ]);
  assert.deepEqual(await codes({ ...logs, body: { task: "no", follow: false } }), ["task-unknown"]);
  assert.deepEqual(await codes({ path: "/v1/stats?task=no" }), ["task-unknown"]);
  assert.deepEqual(await codes({ path: "/v1/stats" }), ["request-invalid"]);
  assert.deepEqual(await codes({ path: "/v1/stats?task=a&task=b" }), ["request-invalid"]);
});
