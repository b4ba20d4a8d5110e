import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mistakesIn } from "../../../model/parse.ts";
import { explain, isWarning } from "../../../model/problem.ts";
import { compileText, shop, show, specOf, web } from "./compiled.ts";

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
