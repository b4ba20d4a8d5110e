import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeTrees } from "../../../cli/compose/merge.ts";
import { parseTree, type Tree } from "../../../cli/compose/tree.ts";

/** Maps, lists and text as plain values, so that tests can compare them. */
function toPlain(tree: Tree | undefined): unknown {
  switch (tree?.kind) {
    case undefined:
      return undefined;
    case "scalar":
      return tree.empty ? null : tree.text;
    case "list":
      return tree.items.map(toPlain);
    case "map":
      return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, toPlain(value)]));
  }
}

function parse(text: string): Tree {
  const { tree, problems } = parseTree("compose.yaml", text);
  assert.deepEqual(problems, []);
  assert.ok(tree !== undefined);
  return tree;
}

test("scalars keep the text they were written with", () => {
  const tree = parse("a: 0755\nb: yes\nc: 1.10\nd: '80'\ne: ~\nf:\ng: 0x1F\n");
  const expected = { a: "0755", b: "yes", c: "1.10", d: "80", e: null, f: null, g: "0x1F" };
  assert.deepEqual(toPlain(tree), expected);
});

test("merge keys fill in what is missing, and the first of several wins", () => {
  const text = `
x-a: &a { image: a, user: a }
x-b: &b { image: b, init: b }
one: { <<: *a, image: own }
two: { <<: [*a, *b] }
`;
  const plain = toPlain(parse(text)) as Record<string, unknown>;
  assert.deepEqual(plain.one, { image: "own", user: "a" });
  assert.deepEqual(plain.two, { image: "a", user: "a", init: "b" });
});

test("an alias means the anchor before it", () => {
  const plain = toPlain(parse("a: &x 1\nb: *x\nc: &x 2\nd: *x\n"));
  assert.deepEqual(plain, { a: "1", b: "1", c: "2", d: "2" });
});

test("every entry knows the line of its key", () => {
  const tree = parse("services:\n  web:\n    image: x\n    ports:\n      - 80\n");
  assert.ok(tree.kind === "map");
  const web = tree.entries.get("services")?.value;
  assert.ok(web?.kind === "map");
  const service = web.entries.get("web");
  assert.equal(service?.at.line, 2);
  assert.ok(service?.value.kind === "map");
  assert.equal(service.value.entries.get("ports")?.at.line, 4);
});

const malformed: [name: string, text: string, line: number][] = [
  ["an open bracket", "a: [1, 2\n", 2],
  ["a tab for indentation", "a:\n\tb: 1\n", 2],
  ["a quote left open", 'a: "x"\nb:\n  - \'y\n  - z\nc: 1\n', 3],
  ["a key twice", "a: 1\nb: 2\na: 3\n", 3],
  ["an alias without anchor", "a: 1\nb: *none\n", 2],
  ["two documents", "a: 1\n---\nb: 2\n", 2],
  ["a merge of text", "a:\n  <<: text\n", 2],
];

for (const [name, text, line] of malformed) {
  test(`${name} is a problem with its line`, () => {
    const { tree, problems } = parseTree("compose.yaml", text);
    assert.equal(tree, undefined);
    const [problem] = problems;
    assert.ok(problem?.code === "yaml-malformed", JSON.stringify(problems));
    assert.equal(problem.line, line, problem.detail);
  });
}

test("a bomb of aliases is refused and takes no time", () => {
  const levels = "bcdefghij".split("").map((key, index) => {
    const before = "abcdefghi"[index];
    return `${key}: &${key} [${`*${before},`.repeat(10)}]`;
  });
  const { tree, problems } = parseTree("compose.yaml", ["a: &a [x]", ...levels].join("\n"));
  assert.equal(tree, undefined);
  assert.equal(problems.length, 1);
});

test("any text is a tree or a problem, never an exception", () => {
  const piece = fc.constantFrom(..."&a *a : - [ ] { } < ' \" | > # ! ? \n".split(" "), "x", "\n  ");
  const text = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, (some) => {
      const { tree, problems } = parseTree("compose.yaml", some);
      assert.equal(tree === undefined, problems.length > 0);
    }),
    { numRuns: 500 },
  );
});

// Base, override, result; all in flow style.
const merges: [name: string, base: string, over: string, result: unknown][] = [
  ["maps merge by key", "{a: 1, b: 2}", "{b: 3, c: 4}", { a: "1", b: "3", c: "4" }],
  ["lists append once", "{l: [1, 2]}", "{l: [2, 3]}", { l: ["1", "2", "3"] }],
  ["!reset drops", "{a: 1, b: 2}", "{a: !reset null}", { b: "2" }],
  ["!override replaces", "{l: [1, 2]}", "{l: !override [3]}", { l: ["3"] }],
  ["nothing changes nothing", "{l: [1]}", "{l: }", { l: ["1"] }],
];

for (const [name, base, over, result] of merges) {
  test(`merging files: ${name}`, () => {
    assert.deepEqual(toPlain(mergeTrees(parse(base), parse(over))), result);
  });
}

test("a service's command is replaced, its environment and mounts merge by name", () => {
  const base = parse("{command: [a, b], environment: [A=1, B=2], volumes: ['v:/data', 'w:/w']}");
  const over = parse("{command: [c], environment: {B: 3}, volumes: ['x:/data:ro']}");
  assert.deepEqual(toPlain(mergeTrees(base, over, "services.web")), {
    command: "c".split(","),
    environment: { A: "1", B: "3" },
    volumes: ["x:/data:ro", "w:/w"],
  });
  // The path is spelt as the files spell it, so that only services are merged so.
  assert.deepEqual(toPlain(mergeTrees(parse("{command: [a]}"), parse("{command: [b]}"), "x-y")), {
    command: ["a", "b"],
  });
});
