/** The Docker engine beside what it shares with the other: the daemon's own ways and failures. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getuid } from "node:process";
import { after, afterEach, before, describe, test } from "node:test";
import type Dockerode from "dockerode";
import { networkName } from "../../engine/docker/container-options.ts";
import { openDockerEngine } from "../../engine/docker/docker-engine.ts";
import { containerName } from "../../engine/docker/labels.ts";
import type { TaskId } from "../../model/ids.ts";
import type { ContainerWorkload, ServiceSpec } from "../../model/spec.ts";
import type { Engine, Sessions, StartOrder } from "../../ports.ts";
import { findCommand } from "../prepare.ts";
import { until } from "../until.ts";
import { fails, logOf, runCommand, untilLine } from "./engine-bench.ts";
import {
  newCheck,
  newContainer,
  newMesh,
  newOrder,
  newSpec,
  node,
  randomSubnet,
} from "./orders.ts";
import { OwnDockerd } from "./own-dockerd.ts";
import { patienceMs, Watcher } from "./watcher.ts";

const isRoot = getuid?.() === 0;
const hasDocker = findCommand("dockerd") !== undefined && findCommand("docker") !== undefined;
const skip = isRoot && hasDocker ? false : "it needs root, dockerd and docker";

describe("the Docker engine and its daemon", { skip }, () => {
  const mesh = newMesh();
  const subnet = randomSubnet();
  const opened: (Engine & Sessions)[] = [];
  let dockerd: OwnDockerd;

  before(async () => {
    dockerd = await OwnDockerd.create();
    await dockerd.makeImage("busy:1");
    dockerd.deriveImage("checked:1", [
      "FROM busy:1",
      "HEALTHCHECK --interval=1h --retries=1 CMD test -e /tmp/well",
      "STOPSIGNAL SIGUSR2",
    ]);
  });
  after(() => dockerd.stop());
  afterEach(async () => {
    const { engine, watcher } = await open();
    for (const { task } of watcher.tasks) engine.remove(task);
    await until(() => watcher.tasks.length === 0, patienceMs, "the end of all tasks");
    await until(() => dockerd.docker("ps", "-aq") === "", patienceMs, "the end of containers");
    for (const one of opened.splice(0)) one.close();
  });

  function openUnready() {
    const engine = openDockerEngine({ socketPath: dockerd.socketPath, nodeName: "first" });
    opened.push(engine);
    const watcher = new Watcher(engine);
    engine.open({ mesh, node });
    return { engine, watcher };
  }

  async function open() {
    const { engine, watcher } = openUnready();
    await watcher.untilReport("observed");
    return { engine, watcher };
  }

  function orderOf(
    workload: Partial<ContainerWorkload>,
    more: Partial<ServiceSpec> = {},
    order: Partial<StartOrder> = {},
  ): StartOrder {
    const spec = newSpec(newContainer(workload), more);
    return newOrder(mesh, spec, { subnet, dnsAddress: "10.127.0.1", ...order });
  }

  async function inspect(task: TaskId): Promise<Dockerode.ContainerInspectInfo> {
    return JSON.parse(dockerd.docker("inspect", containerName(task)))[0];
  }

  describe("images", () => {
    test("one that is never to be pulled and is not here is not found", async () => {
      const { engine, watcher } = await open();
      const order = orderOf({ image: "absent:1", pull: "never" });
      engine.start(order);
      const { state, problem } = await watcher.untilOver(order.task);
      assert.equal(state, "refused");
      assert.equal(problem?.code, "image-not-found");
    });

    test("one whose registry does not answer cannot be pulled", async () => {
      const { engine, watcher } = await open();
      const order = orderOf({ image: "127.0.0.1:9/absent:1", pull: "missing" });
      engine.start(order);
      const { problem } = await watcher.untilOver(order.task);
      assert.equal(problem?.code, "image-pull-failed");
      assert.deepEqual({ ...problem, image: "127.0.0.1:9/absent:1", node: "first" }, problem);
    });

    test("one its registry does not know is not found, one that is here not asked for", async () => {
      let asked = 0;
      const registry = createServer((request, response) => {
        asked++;
        const isPing = request.url === "/v2/";
        const error = { errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] };
        response.writeHead(isPing ? 200 : 404, { "content-type": "application/json" });
        response.end(JSON.stringify(isPing ? {} : error));
      });
      await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
      const { port } = registry.address() as AddressInfo;
      try {
        const { engine, watcher } = await open();
        const here = `127.0.0.1:${port}/shop:1`;
        dockerd.docker("tag", "busy:1", here);
        const present = orderOf({ image: here, pull: "missing" });
        engine.start(present);
        await watcher.untilReady(present.task);
        assert.equal(asked, 0);
        for (const image of [here, `127.0.0.1:${port}/shop:2`]) {
          const order = orderOf({ image, pull: "always" });
          engine.start(order);
          const { problem } = await watcher.untilOver(order.task);
          assert.equal(problem?.code, "image-not-found");
        }
        assert.ok(asked > 0);
        dockerd.docker("rmi", here);
      } finally {
        registry.close();
      }
    });

    test("an image's own check and stop signal count where the spec has none", async () => {
      const { engine, watcher } = await open();
      const command = [
        "sh",
        "-c",
        "trap 'exit 8' USR2; touch /tmp/up; while :; do sleep 0.05; done",
      ];
      const order = orderOf({ image: "checked:1", command });
      engine.start(order);
      const up = await watcher.untilTask(order.task, (o) => o.health === "starting", "its check");
      assert.equal(up.ready, false);
      // Docker itself would look again in an hour.
      await runCommand(engine, order.task, { command: ["touch", "/tmp/well"] });
      const well = await watcher.untilReady(order.task);
      assert.equal(well.health, "healthy");
      engine.stop({ task: order.task, graceMs: 15_000, signal: "SIGTERM" });
      assert.equal((await watcher.untilOver(order.task)).exitCode, 8);
    });

    test("a check that is switched off is the image's as well", async () => {
      const { engine, watcher } = await open();
      const order = orderOf({ image: "checked:1" }, { health: { disabled: true } });
      engine.start(order);
      assert.equal((await watcher.untilReady(order.task)).health, "none");
    });
  });

  test("a spec's liveness command becomes Docker's own, which says when it fails", async () => {
    const { engine, watcher } = await open();
    const test = { kind: "command", command: ["test ! -e /tmp/sick"], shell: true } as const;
    const liveness = newCheck(test, { intervalMs: 300, retries: 1 });
    const order = orderOf({}, { health: { liveness, disabled: false } });
    engine.start(order);
    await watcher.untilReady(order.task);
    engine.close();
    dockerd.docker("exec", containerName(order.task), "touch", "/tmp/sick");
    const isSick = async () => (await inspect(order.task)).State.Health?.Status === "unhealthy";
    await until(isSick, patienceMs, "Docker's own finding");
    const next = await open();
    assert.equal(next.watcher.task(order.task)?.health, "unhealthy");
    assert.equal(next.watcher.task(order.task)?.ready, false);
  });

  test("what the spec says of a container holds for it", async () => {
    const { engine, watcher } = await open();
    const order = orderOf(
      {
        entrypoint: ["sh", "-c"],
        command: ["sleep 600"],
        hostname: "shopkeeper",
        user: "guest",
        workingDir: "/tmp",
        env: { COLOUR: "deep blue" },
        containerLabels: { keep: "yes" },
        mounts: [
          { kind: "tmpfs", target: "/scratch", sizeBytes: 65_536 },
          { kind: "volume", source: "shop_data", target: "/data", readOnly: false },
          { kind: "bind", source: `${dockerd.directory}/made`, target: "/made", readOnly: true },
        ],
        init: true,
        readOnly: true,
        capDrop: ["ALL"],
        ulimits: [{ name: "nofile", soft: 123, hard: 456 }],
        sysctls: { "net.ipv4.ip_unprivileged_port_start": "0" },
        extraHosts: ["db:10.0.0.5"],
        shmSizeBytes: 1_048_576,
        logging: { driver: "json-file", options: { "max-size": "1m" } },
      },
      {
        resources: { cpuLimitMilli: 250, memoryLimitBytes: 32 * 2 ** 20, pidsLimit: 40 },
      },
    );
    engine.start(order);
    await watcher.untilReady(order.task);
    const script =
      "hostname; id -u; pwd; echo $COLOUR; ulimit -n; ls -d /made; " +
      "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep -c /scratch /proc/mounts; " +
      "grep db /etc/hosts; touch /data/x 2>&1 || true; ps | head -2 | tail -1";
    const { stdout } = await runCommand(engine, order.task, { command: ["sh", "-c", script] });
    const expected = "shopkeeper|1000|/tmp|deep blue|123|/made|0|1|10.0.0.5\tdb";
    assert.equal(stdout.trim().split("\n").slice(0, 9).join("|"), expected);
    const { HostConfig, Config } = await inspect(order.task);
    assert.equal(HostConfig.NanoCpus, 250_000_000);
    assert.equal(HostConfig.Memory, 32 * 2 ** 20);
    assert.equal(HostConfig.PidsLimit, 40);
    assert.equal(HostConfig.RestartPolicy?.Name, "no");
    assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
    assert.equal(HostConfig.ReadonlyRootfs, true);
    assert.equal(HostConfig.ShmSize, 1_048_576);
    assert.deepEqual(HostConfig.LogConfig, { Type: "json-file", Config: { "max-size": "1m" } });
    assert.equal(Config.Labels.keep, "yes");
    assert.equal(Config.Labels["shoal.service"], "shop/web");
    dockerd.docker("volume", "inspect", "shop_data");
  });

  test("names are looked up in the mesh first", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({ command: ["sh", "-c", "cat /etc/resolv.conf; sleep 600"] });
    engine.start(order);
    await watcher.untilReady(order.task);
    await untilLine(engine, order.task, "search shop.mesh mesh");
    await untilLine(engine, order.task, "options ndots:2");
    assert.deepEqual((await inspect(order.task)).HostConfig.Dns, ["10.127.0.1"]);
  });

  test("a task on the host's network answers at the host's own address", async () => {
    const { engine, watcher } = await open();
    const command = ["httpd", "-f", "-p", "127.0.0.1:61999", "-h", "/www"];
    const order = orderOf({ command, networkMode: "host" }, { expose: ["61999/tcp"] });
    engine.start(order);
    const { endpoint } = await watcher.untilReady(order.task);
    assert.deepEqual(endpoint, { address: "127.0.0.1", ports: { "61999/tcp": 61999 } });
  });

  test("a task without a network has no endpoint, and is ready all the same", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({ networkMode: "none" }, { expose: ["80/tcp"] });
    engine.start(order);
    assert.equal((await watcher.untilReady(order.task)).endpoint, undefined);
  });

  test("a network follows the node's subnet once nothing holds on to it", async () => {
    const { engine, watcher } = await open();
    const first = orderOf({});
    engine.start(first);
    await watcher.untilReady(first.task);
    const another = randomSubnet();
    const second = orderOf({}, {}, { subnet: another });
    engine.start(second);
    const held = await watcher.untilReady(second.task);
    assert.equal(prefix(held.endpoint?.address), prefix(subnet));
    for (const { task } of [first, second]) {
      engine.stop({ task, graceMs: 0, signal: "SIGKILL" });
      await watcher.untilOver(task);
    }
    const third = orderOf({}, {}, { subnet: another });
    engine.start(third);
    const moved = await watcher.untilReady(third.task);
    assert.equal(prefix(moved.endpoint?.address), prefix(another));
    const network = JSON.parse(dockerd.docker("network", "inspect", networkName(mesh)))[0];
    assert.equal(prefix(network.IPAM.Config[0].Gateway), prefix(another));
  });

  test("a container that somebody else removes is no task any more", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({});
    engine.start(order);
    await watcher.untilReady(order.task);
    dockerd.docker("rm", "-f", containerName(order.task));
    await watcher.untilGone(order.task);
  });

  test("a container that its agent did not come to start is started by the next", async () => {
    const order = orderOf({ command: ["sh", "-c", "echo begun; sleep 600"] });
    const { engine, watcher } = await open();
    engine.start(order);
    await watcher.untilReady(order.task);
    engine.close();
    // As create alone would have left it: with the same labels, never started.
    const { Config } = await inspect(order.task);
    dockerd.docker("rm", "-f", containerName(order.task));
    const labels = Object.entries(Config.Labels).flatMap(([k, v]) => ["--label", `${k}=${v}`]);
    const name = ["--name", containerName(order.task), "--network", networkName(mesh)];
    dockerd.docker("create", ...name, ...labels, "busy:1", ...Config.Cmd);
    const next = await open();
    await next.watcher.untilReady(order.task);
    assert.deepEqual(
      (await logOf(next.engine, order.task)).map(({ line }) => line),
      ["begun"],
    );
  });

  test("anonymous volumes go with their container, named ones stay", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({
      mounts: [
        { kind: "volume", target: "/anonymous", readOnly: false },
        { kind: "volume", source: "shop_kept", target: "/named", readOnly: false },
      ],
    });
    engine.start(order);
    await watcher.untilReady(order.task);
    const volumes = () => dockerd.docker("volume", "ls", "-q").split("\n");
    assert.ok(volumes().some((name) => /^[0-9a-f]{64}$/.test(name)));
    engine.remove(order.task);
    await until(() => !volumes().some((name) => /^[0-9a-f]{64}$/.test(name)), patienceMs);
    assert.ok(volumes().includes("shop_kept"));
  });

  test("a task that eats more than its memory ends, and says why", async () => {
    const { engine, watcher } = await open();
    const command = ["sh", "-c", "x=a; while :; do x=$x$x; done"];
    const order = orderOf({ command }, { resources: { memoryLimitBytes: 32 * 2 ** 20 } });
    engine.start(order);
    const { exitCode, problem } = await watcher.untilOver(order.task);
    assert.equal(exitCode, 137);
    assert.match(JSON.stringify(problem), /out of memory/);
  });

  test("what the daemon will not do is refused in its own words", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({ mounts: [{ kind: "tmpfs", target: "relative" }] });
    engine.start(order);
    const { state, problem } = await watcher.untilOver(order.task);
    assert.deepEqual([state, problem?.code], ["refused", "engine-refused"]);
    assert.match(JSON.stringify(problem), /relative|absolute/);
  });

  test("a daemon that is killed is missed, and found again with all it had", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({});
    engine.start(order);
    await watcher.untilReady(order.task);
    const { signal } = new AbortController();
    const following = (async () => {
      for await (const _ of engine.logs(order.task, { follow: true, signal }));
    })().catch(() => {});
    await dockerd.kill();
    const report = await watcher.untilReport("unavailable");
    assert.equal(report.kind === "unavailable" && report.problem.code, "engine-unavailable");
    await following;
    await fails("engine-unavailable", () => engine.stats(order.task));
    await fails("engine-unavailable", () => logOf(engine, order.task));
    await fails("engine-unavailable", () => runCommand(engine, order.task, { command: ["true"] }));
    // Ordered while nobody is there: carried out when somebody is.
    const meanwhile = orderOf({});
    engine.start(meanwhile);
    await dockerd.start();
    await watcher.untilReport("observed");
    const ended = await watcher.untilOver(order.task);
    assert.equal(ended.state, "exited");
    await watcher.untilReady(meanwhile.task);
  });

  test("a daemon that hangs holds nobody up", async () => {
    const { engine, watcher } = await open();
    const order = orderOf({});
    engine.start(order);
    await watcher.untilReady(order.task);
    dockerd.setFrozen(true);
    try {
      await fails("engine-unavailable", () => engine.stats(order.task));
      await watcher.untilReport("unavailable");
    } finally {
      dockerd.setFrozen(false);
    }
    await watcher.untilReport("observed");
    await watcher.untilReady(order.task);
  });

  test("an engine that is opened before its daemon waits for it", async () => {
    await dockerd.kill();
    const { engine, watcher } = openUnready();
    await watcher.untilReport("unavailable");
    const order = orderOf({});
    engine.start(order);
    await dockerd.start();
    await watcher.untilReady(order.task);
  });
});

function prefix(address = ""): string {
  return address.split(".").slice(0, 3).join(".");
}
