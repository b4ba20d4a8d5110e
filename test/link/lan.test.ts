/**
 * What needs a LAN of its own: multicast, and addresses that come and go. Each scene runs in a
 * network namespace made for it, so that no packet leaves this machine.
 */

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const namespace = ["--user", "--map-root-user", "--net"];
const isPossible =
  spawnSync("unshare", [...namespace, "ip", "link", "set", "lo", "up"]).status === 0;
const skip = isPossible ? false : "this user may not make network namespaces";

const scenes: [name: string, scene: string][] = [
  [
    "admitted nodes on one LAN find each other by multicast, and a stranger finds nobody",
    "discovery",
  ],
  ["a host whose address changes says so, and is heard again at its new one", "moving"],
  ["nodes that could not reach each other for a while are linked soon after they can", "healing"],
];

for (const [name, scene] of scenes) {
  test(name, { skip }, async (t) => {
    const script = `${import.meta.dirname}/lan-scene.ts`;
    const command = [...namespace, process.execPath, ...process.execArgv.filter(isOurs), script];
    // Else it would report to our runner, as a test file of its own.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const { stdout } = await run("unshare", [...command, scene], { timeout: 60_000, env });
    const [measured = ""] = stdout.split("\n");
    assert.match(measured, /^(?:linked|heard).* \d+ ms/);
    t.diagnostic(measured);
  });
}

/** Flags of the test runner are none of the scene's. */
function isOurs(flag: string): boolean {
  return flag.startsWith("--disable-warning");
}
