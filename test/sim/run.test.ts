import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { run } from "../../sim/run.ts";
import { root } from "../tidy/source-tree.ts";

test("a seed runs the same twice, to the last line of its trace", () => {
  for (const seed of [2, 3, 11]) {
    const lines: string[][] = [[], []];
    const [first, second] = lines.map((said) =>
      run({ seed, nodes: 5, print: (line) => said.push(line) }),
    );
    assert.deepEqual(lines[0], lines[1], `seed ${seed}`);
    assert.deepEqual(first, second);
    assert.ok((lines[0]?.length ?? 0) > 10);
  }
});

test("what is printed changes nothing, and other seeds are other days", () => {
  const silent = run({ seed: 5, nodes: 4 });
  const printed = run({ seed: 5, nodes: 4, print: () => {} });
  assert.deepEqual(silent, printed);
  assert.notEqual(run({ seed: 6, nodes: 4 }).sum, silent.sum);
});

for (const nodes of [1, 2, 3, 9]) {
  test(`a mesh of ${nodes} survives its days`, () => {
    for (const seed of [21, 22, 23]) {
      assert.equal(run({ seed, nodes }).breach, undefined, `--seed ${seed} --nodes ${nodes}`);
    }
  });
}

test("the command shows a trace with a verdict, and one closing line for many seeds", () => {
  const one = simulate("--seed", "4", "--nodes", "3");
  assert.equal(one.status, 0);
  assert.match(one.stdout, /seed +4: 3 nodes; [\s\S]*all is well\npassed\n$/);
  const many = simulate("--seeds", "2", "--from", "7", "--nodes", "3");
  assert.equal(many.status, 0);
  assert.match(many.stdout, /seeds\/s.*\n2 passed, 0 failed\n$/);
  const wrong = simulate("--seeds", "some");
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /--seeds must be a whole number/);
});

function simulate(...args: string[]) {
  const flags = ["--disable-warning=ExperimentalWarning"];
  const command = [...flags, "sim/main.ts", ...args];
  return spawnSync(process.execPath, command, { cwd: root, encoding: "utf8" });
}
