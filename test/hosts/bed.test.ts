/** The bed does what its users rely on: otherwise a test of the mesh proves nothing. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { until } from "../until.ts";
import { Bed, onHosts } from "./bed.ts";
import { helloPort } from "./hello-image.ts";

const bed = new Bed();
/** Whether a host answers another one, within a second. */
async function reaches(from: number, to: number): Promise<boolean> {
  const ping = ["busybox", "ping", "-c", "1", "-W", "1", bed.host(to).address];
  return (await bed.host(from).attempt(ping)).code === 0;
}

describe("the test bed", onHosts, () => {
  before(async () => await bed.up(3), { timeout: 120_000 });
  after(async () => await bed.down(), { timeout: 60_000 });

  test("hosts are machines of their own: name, network, processes and files", async () => {
    const host = bed.host(1);
    assert.equal((await host.exec(["hostname"])).trim(), "host1");
    assert.match(await host.exec(["ip", "-br", "addr", "show", "eth0"]), /10\.99\.0\.1\/24/);
    assert.match(await host.exec(["cat", "/proc/1/cmdline"]), /host-init\.sh/);
    await host.exec(["touch", "/etc/here", "/var/lib/here", "/usr/local/here", "/run/here"]);
    for (const path of ["/etc/here", "/var/lib/here", "/usr/local/here", "/run/here"]) {
      assert.equal(existsSync(path), false, `${path} leaked`);
      assert.notEqual((await bed.host(2).attempt(["test", "-e", path])).code, 0, path);
    }
  });

  test("an image made on the spot says its version and its container", async () => {
    const host = bed.host(1);
    const publish = `8080:${helloPort}`;
    await host.exec(["docker", "run", "-d", "--name", "web", "-p", publish, "-h", "me", "hello:2"]);
    const page = ["curl", "-s", "-m", "2", `http://${host.address}:8080/`];
    const answer = await until(async () => await bed.client(page), 5_000, "the page");
    assert.equal(answer, "hello 2 from me\n");
    await host.exec(["docker", "stop", "-t", "5", "web"]);
    const exitCode = await host.exec(["docker", "inspect", "-f", "{{.State.ExitCode}}", "web"]);
    assert.equal(exitCode.trim(), "0", "it left by itself when asked to");
    await host.exec(["docker", "rm", "web"]);
  });

  test("a cut parts two hosts and nobody else, until it heals", async () => {
    await bed.lan.cut(1, 3);
    assert.deepEqual([await reaches(1, 3), await reaches(3, 1)], [false, false]);
    assert.deepEqual([await reaches(1, 2), await reaches(3, 2)], [true, true]);
    await bed.lan.heal();
    assert.equal(await reaches(1, 3), true);
  });

  test("a pulled cable parts a host from all, until it is plugged in", async () => {
    await bed.lan.setCable(2, "down");
    assert.equal(await reaches(1, 2), false);
    await bed.lan.setCable(2, "up");
    assert.equal(await reaches(1, 2), true);
  });

  test("a power cut is silent, ends everything, and keeps the disk", async () => {
    const host = bed.host(2);
    await host.exec(["touch", "/var/lib/kept", "/run/forgotten"]);
    const listen = bed.host(2).command(["busybox", "nc", "-l", "-p", "9999"]);
    spawn(listen[0] as string, listen.slice(1), { stdio: ["pipe", "ignore", "ignore"] });
    await until(async () => await host.exec(["ss", "-Hltn", "sport", "9999"]), 5_000, "a listener");
    const dial = bed.clientCommand(["busybox", "nc", host.address, "9999"]);
    const held = spawn(dial[0] as string, dial.slice(1), { stdio: ["pipe", "ignore", "ignore"] });
    const sockets = ["ss", "-Htn", "state", "established", "dst", host.address];
    await until(async () => await bed.client(sockets), 5_000, "a connection");
    await host.cutPower();
    assert.equal(host.pid, undefined);
    assert.deepEqual(host.group.processes(), []);
    assert.notEqual(await bed.client(sockets), "", "the peer was told");
    held.kill("SIGKILL");
    const back = await bed.reboot(2);
    await back.exec(["test", "-e", "/var/lib/kept"]);
    assert.notEqual((await back.attempt(["test", "-e", "/run/forgotten"])).code, 0);
    await back.exec(["docker", "image", "inspect", "hello:1"]);
  });

  test("an engine can be killed and started again", async () => {
    const host = bed.host(3);
    await host.killEngine();
    assert.notEqual((await host.attempt(["docker", "ps"])).code, 0);
    await host.startEngine();
    await host.engineReady();
  });

  test("a host keeps working at another address", async () => {
    await bed.host(3).readdress("10.99.0.103");
    assert.equal(bed.host(3).address, "10.99.0.103");
    assert.equal(await reaches(1, 3), true);
    await bed.host(3).readdress("10.99.0.3");
  });

  test("a frozen host answers pings, because kernels do, and runs nothing", async () => {
    const host = bed.host(1);
    const counter = "i=0; while :; do i=$((i+1)); echo $i >/run/count; sleep 0.01; done";
    const [program, ...args] = host.command(["sh", "-c", counter]);
    const child = spawn(program as string, args, { stdio: "ignore" });
    const count = () => host.exec(["cat", "/run/count"]);
    await until(async () => await count(), 5_000, "the count");
    host.group.setFrozen(true);
    assert.equal(await reaches(2, 1), true);
    host.group.setFrozen(false);
    const before = await count();
    await until(async () => (await count()) !== before, 5_000, "the count going on");
    child.kill("SIGKILL");
  });
});
