import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, isWarning, OperationError, type Problem } from "../../model/problem.ts";

const sentences: readonly [problem: Problem, sentence: string][] = [
  [
    {
      code: "key-unknown",
      file: "compose.yaml",
      line: 7,
      path: "services.web.imge",
      suggestion: "image",
    },
    'compose.yaml:7: services.web.imge: unknown key, did you mean "image"?',
  ],
  [{ code: "key-unknown", file: "", line: 0, path: "a", suggestion: "" }, "a: unknown key"],
  [
    { code: "value-invalid", file: "compose.yaml", line: 0, path: "name", detail: "no name" },
    "compose.yaml: name: no name",
  ],
  [
    { code: "no-eligible-node", service: "d/web", rejections: { down: 1, constraints: 2 } },
    "no node can run d/web: down ruled out 1, constraints ruled out 2",
  ],
  [
    { code: "no-eligible-node", service: "d/web", rejections: {} },
    "no node can run d/web: the mesh has no nodes",
  ],
];

for (const [problem, sentence] of sentences) {
  test(`${problem.code} reads: ${sentence}`, () => assert.equal(explain(problem), sentence));
}

test("only what is ignored or assumed is a warning", () => {
  const at = { file: "", line: 0, path: "", detail: "" };
  assert.ok(isWarning({ code: "key-ignored", ...at }));
  assert.ok(isWarning({ code: "value-assumed", ...at }));
  assert.ok(!isWarning({ code: "key-unsupported", ...at }));
});

test("an error tells all of its problems, one a line", () => {
  const problems: Problem[] = [
    { code: "node-down", node: "n1" },
    { code: "disk-full", path: "/data" },
  ];
  const error = new OperationError(problems);
  assert.deepEqual(error.problems, problems);
  assert.equal(error.message, problems.map(explain).join("\n"));
  assert.deepEqual(new OperationError(problems[0] as Problem).problems, problems.slice(0, 1));
});
