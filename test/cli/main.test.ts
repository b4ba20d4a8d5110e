import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = mkdtempSync(join(tmpdir(), "shoal-main-"));
after(() => rmSync(root, { recursive: true, force: true }));

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

async function shoal(line: string, input = ""): Promise<Ran> {
  const words = line.split(" ").filter((word) => word !== "");
  const child = spawn(process.execPath, [main, ...words], {
    cwd: root,
    env: { ...process.env, SHOAL_CONFIG: join(root, "config"), XDG_DATA_HOME: join(root, "data") },
  });
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, out, err };
}

// Command line, exit code, what stands on standard output and on standard error.
const cases: [line: string, code: number, out: RegExp, err: RegExp][] = [
  ["--version", 0, /^\d+\.\d+\.\d+$/m, /^$/],
  ["version --client", 0, /^\d+\.\d+\.\d+$/m, /^$/],
  ["deploy --help", 0, /Examples:\n {2}shoal deploy/, /^$/],
  ["nonsense", 2, /^$/, /unknown command 'nonsense'/],
  ["service ls --nonsense", 2, /^$/, /unknown option '--nonsense'/],
  ["service ls --format xml", 2, /^$/, /Allowed choices are table, json/],
  ["service scale", 2, /^$/, /missing required argument/],
  ["completion tcsh", 2, /^$/, /bash, zsh or fish/],
  ["service ls --context none", 1, /^$/, /no context called none/],
  ["compile -f none.yaml", 1, /^$/, /cannot read none.yaml/],
  [
    "compile -f none.yaml --format json",
    1,
    /^\{"problems":\[\{"code":"file-unreadable","file":"none.yaml",.*\}\]\}$/m,
    /cannot read none.yaml/,
  ],
  ["service ls --peer /ip4/10.0.0.1/tcp/1", 2, /^$/, /needs a context that knows the mesh/],
];

for (const [line, code, out, err] of cases) {
  test(`shoal ${line} ends with ${code}`, async () => {
    const ran = await shoal(line);
    assert.equal(ran.code, code, ran.err);
    assert.match(ran.out, out);
    assert.match(ran.err, err);
    assert.ok(!ran.err.includes("    at "), "no stack trace for a person");
  });
}

test("every mistake of a Compose file is on standard error at once, nothing on standard output", async () => {
  const file = "services:\n  web:\n    imge: x\n    ports: [a]\n    scale: many\n";
  const ran = await shoal("compile -f -", file);
  assert.equal(ran.code, 1);
  assert.equal(ran.out, "");
  assert.deepEqual(
    ran.err
      .trim()
      .split("\n")
      .map((line) => line.slice(0, 4)),
    ["-:2:", "-:3:", "-:4:", "-:5:"],
  );
});

test("warnings do not stand in the way of JSON", async () => {
  writeFileSync(
    join(root, "compose.yaml"),
    "services:\n  web:\n    image: x\n    container_name: y\n",
  );
  const ran = await shoal("compile");
  assert.equal(ran.code, 0);
  assert.match(ran.err, /^warning: compose.yaml:4: /);
  assert.equal((JSON.parse(ran.out) as unknown[]).length, 1);
});
