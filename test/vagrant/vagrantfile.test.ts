/** The Vagrantfile and the script that it runs are well-formed, as far as no machine is made. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { attempt } from "../hosts/shell.ts";
import { findCommand } from "../prepare.ts";
import { root } from "../tidy/source-tree.ts";

const vagrant = findCommand("vagrant");
const script = join(root, "vagrant/provision.sh");

test("vagrant accepts the Vagrantfile", {
  skip: vagrant === undefined && "vagrant is not installed",
}, async () => {
  const home = await mkdtemp(join(tmpdir(), "shoal-vagrant-"));
  const places = { VAGRANT_HOME: home, VAGRANT_DOTFILE_PATH: join(home, "dotfile") };
  const env = { ...process.env, ...places, VAGRANT_CWD: join(root, "vagrant") };
  // No hypervisor is asked for: only what the file says is looked at.
  const validate = [vagrant as string, "validate", "--ignore-provider"];
  const { code, stdout, stderr } = await attempt(validate, { env, timeoutMs: 60_000 });
  await rm(home, { recursive: true });
  assert.equal(code, 0, stdout + stderr);
});

test("provision.sh is a script that sh can read", async () => {
  assert.deepEqual(await attempt(["sh", "-n", script]), { code: 0, stdout: "", stderr: "" });
});

test("provision.sh without a verb says what it does, and does nothing", async () => {
  const { code, stdout } = await attempt(["sh", script]);
  assert.equal(code, 2);
  for (const verb of ["install", "first", "join TOKEN", "start", "run"]) {
    assert.ok(stdout.includes(`provision.sh ${verb}`), verb);
  }
});

test("provision.sh join without a token changes nothing", async () => {
  const { code, stderr } = await attempt(["sh", script, "join"]);
  assert.equal(code, 1);
  assert.match(stderr, /needs a token/);
});
