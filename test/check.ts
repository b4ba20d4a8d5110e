/**
 * The daily check, in about a minute: types, lint, the house rules, the tests that need no engine
 * and no root, and 20 simulator seeds. `npm run check`; CI runs `npm test`, which is more.
 */

import { spawn } from "node:child_process";
import { listFiles, root } from "./tidy/source-tree.ts";

type Step = { readonly name: string; readonly args: readonly string[] };

/** These drive Docker Engines and hosts of their own: `npm test` runs them. */
const slow = /^test\/(?:hosts\/|engine\/docker)/;
const seeds = 20;

const nodeFlags = ["--disable-warning=ExperimentalWarning"];

function steps(): Step[] {
  const tests = listFiles([".test.ts"], "test").filter((path) => !slow.test(path));
  const runner = ["--test", "--test-concurrency=2", "--test-reporter=dot"];
  return [
    { name: "types", args: ["node_modules/typescript/bin/tsc", "-p", "."] },
    {
      name: "lint",
      args: ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings"],
    },
    { name: `tests (${tests.length} files)`, args: [...nodeFlags, ...runner, ...tests] },
    {
      name: `simulator (${seeds} seeds)`,
      args: [...nodeFlags, "sim/main.ts", "--seeds", String(seeds), "--from", "1"],
    },
  ];
}

/** Runs one step; its output is worth reading only when it fails. */
function runStep({ name, args }: Step): Promise<boolean> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => output.push(chunk));
    }
    child.once("close", (code) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok  " : "FAIL"}  ${name}  ${seconds} s`);
      if (code !== 0) process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

const results: boolean[] = [];
for (const step of steps()) results.push(await runStep(step));
process.exitCode = results.every(Boolean) ? 0 : 1;
