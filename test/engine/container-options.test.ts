import assert from "node:assert/strict";
import { test } from "node:test";
import { containerOptions, networkName } from "../../engine/docker/container-options.ts";
import { splitReference } from "../../engine/docker/images.ts";
import { containerName, labelsOf, readLabels } from "../../engine/docker/labels.ts";
import { networkOptions } from "../../engine/docker/network.ts";
import type { MeshId } from "../../model/ids.ts";
import type { ContainerWorkload, ServiceSpec } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";
import { httpPort, newCheck, newMesh, newOrder, newSpec } from "./orders.ts";

const plain: ContainerWorkload = {
  kind: "container",
  image: "shop:1",
  env: {},
  containerLabels: {},
  mounts: [],
};

function options(
  workload: Partial<ContainerWorkload>,
  spec: Partial<ServiceSpec> = {},
  order: Partial<StartOrder> = {},
) {
  const whole = { ...plain, ...workload };
  return containerOptions(newOrder(newMesh(), newSpec(whole, spec), order), whole, 7);
}

/** What a workload says, and what Docker is told; undefined says nothing. */
const fields: [workload: Partial<ContainerWorkload>, expected: object][] = [
  [
    { entrypoint: ["/init"], command: ["serve", "-v"] },
    { Entrypoint: ["/init"], Cmd: ["serve", "-v"] },
  ],
  [
    { workingDir: "/srv", user: "1000:1000" },
    { WorkingDir: "/srv", User: "1000:1000" },
  ],
  [
    { hostname: "web", domainname: "shop" },
    { Hostname: "web", Domainname: "shop" },
  ],
  [
    { tty: true, stdinOpen: true },
    { Tty: true, OpenStdin: true },
  ],
  [{ stopSignal: "SIGQUIT" }, { StopSignal: "SIGQUIT" }],
];

const hostFields: [workload: Partial<ContainerWorkload>, expected: object][] = [
  [{}, { RestartPolicy: { Name: "no" } }],
  [
    { init: true, readOnly: true, privileged: true },
    { Init: true, ReadonlyRootfs: true, Privileged: true },
  ],
  [
    { capAdd: ["NET_ADMIN"], capDrop: ["ALL"] },
    { CapAdd: ["NET_ADMIN"], CapDrop: ["ALL"] },
  ],
  [{ securityOpt: ["no-new-privileges"] }, { SecurityOpt: ["no-new-privileges"] }],
  [{ groupAdd: ["audio"] }, { GroupAdd: ["audio"] }],
  [
    { devices: [{ host: "/dev/fuse", container: "/dev/fuse", permissions: "rwm" }] },
    {
      Devices: [
        { PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" },
      ],
    },
  ],
  [
    { ulimits: [{ name: "nofile", soft: 1024, hard: 2048 }] },
    { Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 2048 }] },
  ],
  [{ sysctls: { "net.core.somaxconn": "512" } }, { Sysctls: { "net.core.somaxconn": "512" } }],
  [{ extraHosts: ["db:10.0.0.5"] }, { ExtraHosts: ["db:10.0.0.5"] }],
  [
    { shmSizeBytes: 1e6, oomScoreAdj: 200 },
    { ShmSize: 1e6, OomScoreAdj: 200 },
  ],
  [
    { pidMode: "host", ipcMode: "private" },
    { PidMode: "host", IpcMode: "private" },
  ],
  [
    { userns: "host", cgroupParent: "/shop" },
    { UsernsMode: "host", CgroupParent: "/shop" },
  ],
  [{ runtime: "runsc" }, { Runtime: "runsc" }],
  [
    { logging: { driver: "local", options: { "max-size": "1m" } } },
    { LogConfig: { Type: "local", Config: { "max-size": "1m" } } },
  ],
  [{ networkMode: "host" }, { NetworkMode: "host", PortBindings: undefined }],
  [{ networkMode: "none" }, { NetworkMode: "none", Dns: undefined }],
  [
    { mounts: [{ kind: "bind", source: "/srv/a", target: "/a", readOnly: true }] },
    { Binds: ["/srv/a:/a:ro"], Mounts: [] },
  ],
  [
    { mounts: [{ kind: "bind", source: "/srv/a:b", target: "/a", readOnly: false }] },
    { Binds: [], Mounts: [{ Type: "bind", Source: "/srv/a:b", Target: "/a", ReadOnly: false }] },
  ],
  [
    {
      mounts: [
        {
          kind: "volume",
          source: "shop_data",
          target: "/data",
          readOnly: false,
          driverOptions: { type: "nfs" },
          labels: { keep: "yes" },
        },
      ],
    },
    {
      Mounts: [
        {
          Type: "volume",
          Source: "shop_data",
          Target: "/data",
          ReadOnly: false,
          VolumeOptions: {
            Labels: { keep: "yes" },
            DriverConfig: { Name: "local", Options: { type: "nfs" } },
          },
        },
      ],
    },
  ],
  [
    { mounts: [{ kind: "volume", target: "/data", readOnly: true }] },
    { Mounts: [{ Type: "volume", Target: "/data", ReadOnly: true, VolumeOptions: {} }] },
  ],
  [
    { mounts: [{ kind: "tmpfs", target: "/tmp", sizeBytes: 1e6, mode: 0o1777 }] },
    { Mounts: [{ Type: "tmpfs", Target: "/tmp", TmpfsOptions: { SizeBytes: 1e6, Mode: 0o1777 } }] },
  ],
];

for (const [workload, expected] of fields) {
  test(`Docker is told ${Object.keys(workload).join(", ")}`, () =>
    contains(options(workload), expected));
}
for (const [workload, expected] of hostFields) {
  test(`Docker is told ${JSON.stringify(workload)}`, () =>
    contains(options(workload).HostConfig, expected));
}

function contains(actual: object, expected: object): void {
  const picked = Object.keys(expected).map((key) => [key, (actual as never)[key]]);
  assert.deepEqual(Object.fromEntries(picked), expected);
}

test("a plain workload says nothing about what it leaves to the engine", () => {
  const { HostConfig, ...rest } = options({});
  assert.deepEqual(Object.keys(rest).sort(), ["Env", "ExposedPorts", "Image", "Labels"]);
  assert.deepEqual(Object.keys(HostConfig).sort(), [
    "Binds",
    "Mounts",
    "NetworkMode",
    "PortBindings",
    "RestartPolicy",
  ]);
});

test("limits are passed on in Docker's units", () => {
  const resources = {
    cpuLimitMilli: 1_500,
    memoryLimitBytes: 64e6,
    pidsLimit: 20,
    memoryReservationBytes: 32e6,
  };
  contains(options({}, { resources }).HostConfig, {
    NanoCpus: 1_500_000_000,
    Memory: 64e6,
    PidsLimit: 20,
    MemoryReservation: 32e6,
  });
});

test("names are the mesh's, unless the spec brings its own", () => {
  const order = { dnsAddress: "10.1.2.1", subnet: "10.1.2.0/24" };
  contains(options({}, {}, order).HostConfig, {
    Dns: ["10.1.2.1"],
    DnsSearch: ["shop.mesh", "mesh"],
    DnsOptions: ["ndots:2"],
  });
  contains(options({ dns: ["9.9.9.9"] }, {}, order).HostConfig, {
    Dns: ["9.9.9.9"],
    DnsSearch: undefined,
    DnsOptions: undefined,
  });
  contains(options({ dnsSearch: ["corp"], dnsOptions: [] }, {}, order).HostConfig, {
    Dns: ["10.1.2.1"],
    DnsSearch: ["corp"],
    DnsOptions: [],
  });
  contains(options({}).HostConfig, { Dns: undefined, DnsSearch: undefined });
});

test("containers are put on the node's own network, where it has one", () => {
  assert.equal(options({}).HostConfig.NetworkMode, "bridge");
  const mode = options({}, {}, { subnet: "10.1.2.0/24" }).HostConfig.NetworkMode;
  assert.match(mode ?? "", /^shoal-[0-9a-f]{8}$/);
});

test("only ports of mode host are bound to the host's", () => {
  const udp = { published: 53, target: 53, protocol: "udp", mode: "host" } as const;
  const ports = [httpPort, udp, { ...udp, published: 5353 }];
  const { ExposedPorts, HostConfig } = options({}, { ports, expose: ["9/tcp"] });
  assert.deepEqual(Object.keys(ExposedPorts ?? {}), ["80/tcp", "53/udp", "9/tcp"]);
  assert.deepEqual(HostConfig.PortBindings, {
    "53/udp": [{ HostPort: "53" }, { HostPort: "5353" }],
  });
});

test("what the spec says of the environment stands over what we say", () => {
  const { Env = [] } = options({ env: { A: "b=c", SHOAL_SLOT: "mine" } });
  assert.ok(Env.includes("A=b=c"));
  assert.ok(Env.includes("SHOAL_SLOT=mine"));
  assert.ok(Env.includes("SHOAL_NODE=first"));
});

const shell = { kind: "command", command: ["curl -f x"], shell: true } as const;
const http = { kind: "http", port: 80, path: "/" } as const;
const times = { intervalMs: 5_000, timeoutMs: 1_000, retries: 4, startPeriodMs: 250 };
const checks: [name: string, health: ServiceSpec["health"], expected: object | undefined][] = [
  ["none leaves the image's own", { disabled: false }, undefined],
  ["switched off", { disabled: true }, { Test: ["NONE"] }],
  ["HTTP is ours to make", { liveness: newCheck(http), disabled: false }, { Test: ["NONE"] }],
  ["readiness is ours as well", { readiness: newCheck(shell), disabled: false }, undefined],
  [
    "a shell's command is Docker's",
    { liveness: newCheck(shell, times), disabled: false },
    {
      Test: ["CMD-SHELL", "curl -f x"],
      Interval: 5_000_000_000,
      Timeout: 1_000_000_000,
      Retries: 4,
      StartPeriod: 250_000_000,
    },
  ],
];

for (const [name, health, expected] of checks) {
  test(`health check: ${name}`, () => {
    assert.deepEqual(options({}, { health }).Healthcheck, expected);
  });
}

test("labels tell the next agent all it needs, and hide the environment", () => {
  const spec = newSpec(
    {
      ...plain,
      env: { PASSWORD: "hunter2" },
      containerLabels: { colour: "blue", "shoal.task": "x" },
    },
    { ports: [httpPort], health: { readiness: newCheck(http), disabled: false } },
  );
  const order = newOrder(newMesh(), spec);
  const labels = labelsOf(order, 1234);
  assert.equal(labels["shoal.service"], "shop/web");
  assert.equal(labels["shoal.node"], order.node);
  assert.equal(labels["shoal.mesh"], order.mesh);
  assert.equal(labels.colour, "blue");
  assert.ok(!JSON.stringify(labels).includes("hunter2"));
  const known = readLabels(labels);
  assert.deepEqual(known?.identity, {
    task: order.task,
    replica: order.replica,
    service: "shop/web",
    revision: order.revision,
    createdAtMs: 1234,
  });
  assert.deepEqual(known?.spec.health, spec.health);
  assert.deepEqual(known?.spec.ports, spec.ports);
});

test("a container whose labels make no sense is none of ours", () => {
  const labels = labelsOf(newOrder(newMesh(), newSpec(plain)), 1);
  for (const damage of [{ "shoal.spec": "{" }, { "shoal.task": "" }, { "shoal.created-at": "x" }]) {
    assert.equal(readLabels({ ...labels, ...damage }), undefined);
  }
  assert.equal(readLabels({}), undefined);
});

test("names and networks fit Docker and Linux", () => {
  const mesh = "0123456789abcdef" as MeshId;
  assert.equal(networkName(mesh), "shoal-01234567");
  assert.ok(networkName(mesh).length <= 15);
  assert.deepEqual(networkOptions({ mesh, subnet: "10.210.7.0/24" }).IPAM?.Config, [
    { Subnet: "10.210.7.0/24", Gateway: "10.210.7.1" },
  ]);
  assert.equal(containerName("shop/web.1.abc" as never), "shop_web.1.abc");
});

const references: [image: string, fromImage: string, tag: string][] = [
  ["busybox", "busybox", "latest"],
  ["busybox:1.36", "busybox", "1.36"],
  ["localhost:5000/shop", "localhost:5000/shop", "latest"],
  ["localhost:5000/shop:2", "localhost:5000/shop", "2"],
  ["shop@sha256:ab", "shop", "sha256:ab"],
];

for (const [image, fromImage, tag] of references) {
  test(`${image} is pulled by its one tag`, () => {
    assert.deepEqual(splitReference(image), { fromImage, tag });
  });
}
