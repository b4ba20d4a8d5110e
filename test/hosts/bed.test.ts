/** The bed does what its users rely on: otherwise a test of the mesh proves nothing. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
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

/** Whether a datagram from one host arrives at another, sent every 50 ms for half a second. */
async function hears(from: number, to: number): Promise<boolean> {
  const port = 9_000 + from * 10 + to;
  const listen = `require("node:dgram").createSocket("udp4")
    .once("message", () => { console.log("heard"); process.exit(); })
    .bind(${port}, () => console.log("listening"));
    process.stdin.once("end", process.exit).resume();`;
  const ear = bed.host(to).command([process.execPath, "-e", listen]);
  const child = spawn(ear[0] as string, ear.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  await until(() => said.includes("listening"), 5_000, "an ear");
  const { address } = bed.host(to);
  const say = `for i in 1 2 3 4 5 6 7 8 9 10; do echo >/dev/udp/${address}/${port}; sleep 0.05; done`;
  await bed.host(from).attempt(["bash", "-c", say]);
  child.stdin.end();
  await closed;
  return said.includes("heard");
}

/** How many of so many pings came back. */
async function pingsKept(from: number, to: number, count: number): Promise<number> {
  const words = ["busybox", "ping", "-c", `${count}`, "-i", "0.01", "-W", "1"];
  const { stdout } = await bed.host(from).attempt([...words, bed.host(to).address]);
  return Number(/(\d+) packets received/.exec(stdout)?.[1]);
}

/** Ms it takes to get so many bytes from one host to another. */
async function download(from: number, to: number, bytes: number): Promise<number> {
  const place = "/run/gift";
  const give = `mkdir -p ${place}; head -c ${bytes} /dev/zero >${place}/zeroes; cd ${place}`;
  const serve = `${give}; ss -Hltn sport 9997 | grep -q . || busybox httpd -p 9997 -h ${place}`;
  await bed.host(from).exec(["sh", "-c", serve]);
  const listener = ["ss", "-Hltn", "sport", "9997"];
  await until(async () => await bed.host(from).exec(listener), 5_000, "a giver");
  const startMs = performance.now();
  const url = `http://${bed.host(from).address}:9997/zeroes`;
  const take = ["curl", "-s", "-m", "20", "-o", "/dev/null", "-w", "%{size_download}", url];
  assert.equal(Number(await bed.host(to).exec(take)), bytes);
  return performance.now() - startMs;
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

  test("a one-way cut loses what one host sends to the other, and nothing else", async () => {
    await bed.lan.cutOneWay(1, 3);
    // A datagram needs no answer, so each direction shows by itself.
    assert.deepEqual([await hears(1, 3), await hears(3, 1)], [false, true]);
    assert.deepEqual([await hears(1, 2), await hears(2, 3)], [true, true]);
    await bed.lan.heal();
    assert.equal(await hears(1, 3), true);
  });

  test("a lossy cable loses about as many frames as it is told to", async () => {
    await bed.lan.lose(1, 50);
    const kept = await pingsKept(2, 1, 200);
    // Half of them each way: a quarter of 200 come back, give or take six deviations.
    assert.ok(kept > 10 && kept < 90, `${kept} of 200`);
    assert.equal(await pingsKept(2, 3, 50), 50, "the others' cables are good");
    await bed.lan.heal();
    assert.equal(await pingsKept(2, 1, 50), 50);
  });

  test("a slow cable carries no more than it is told to, until it heals", async () => {
    const bytes = 200_000;
    const fast = await download(1, 2, bytes);
    await bed.lan.slow(1, 800);
    const slow = await download(1, 2, bytes);
    assert.ok(slow > 1_500 && slow > 5 * fast, `${bytes} bytes in ${slow} ms, else ${fast} ms`);
    await bed.lan.heal();
    const again = await download(1, 2, bytes);
    assert.ok(again < slow / 3, `${again} ms after it healed`);
  });

  test("a full agent's disk takes not one byte more, and nothing else is full", async () => {
    const host = bed.host(1);
    const write = (path: string) => host.attempt(["sh", "-c", `echo word >${path}`]);
    assert.equal((await write("/var/lib/shoal/before")).code, 0);
    await host.fillDisk();
    assert.notEqual((await write("/var/lib/shoal/during")).code, 0);
    assert.equal((await write("/var/lib/elsewhere")).code, 0);
    await host.freeDisk();
    assert.equal((await write("/var/lib/shoal/after")).code, 0);
    assert.equal(await host.exec(["cat", "/var/lib/shoal/before"]), "word\n");
  });

  test("a pulled cable parts a host from all, until it is plugged in", async () => {
    await bed.lan.setCable(2, "down");
    assert.equal(await reaches(1, 2), false);
    await bed.lan.setCable(2, "up");
    assert.equal(await reaches(1, 2), true);
  });

  test("a power cut is silent, ends everything, and keeps the disk", async () => {
    const host = bed.host(2);
    const kept = ["/var/lib/kept", "/var/lib/shoal/kept"];
    await host.exec(["touch", ...kept, "/run/forgotten"]);
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
    for (const path of kept) await back.exec(["test", "-e", path]);
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
