/**
 * From a start order to what the Docker API wants to create a container: everything that a spec
 * can say about one is passed on. Pure. What the spec leaves out is left out here as well, so
 * that the engine's own default holds.
 *
 * Source: Docker Engine API 1.41, POST /containers/create.
 */

import type Dockerode from "dockerode";
import { type MeshId, splitServiceId } from "../../model/ids.ts";
import type { Check, ContainerWorkload, Mount, ServiceSpec } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";
import { ownEnvironment } from "../environment.ts";
import { targetPorts } from "../task-entry.ts";
import { labelsOf } from "./labels.ts";

export type ContainerOptions = Omit<Dockerode.ContainerCreateOptions, "HostConfig"> & {
  readonly HostConfig: Dockerode.HostConfig;
};

export function containerOptions(
  order: StartOrder,
  workload: ContainerWorkload,
  createdAtMs: number,
): ContainerOptions {
  const { spec } = order;
  const env = { ...ownEnvironment(order), ...workload.env };
  return defined({
    Image: workload.image,
    Entrypoint: copy(workload.entrypoint),
    Cmd: copy(workload.command),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(order, createdAtMs),
    WorkingDir: workload.workingDir,
    User: workload.user,
    Hostname: workload.hostname,
    Domainname: workload.domainname,
    Tty: workload.tty,
    OpenStdin: workload.stdinOpen,
    StopSignal: workload.stopSignal,
    ExposedPorts: Object.fromEntries(targetPorts(spec).map((port) => [port, {}])),
    Healthcheck: healthcheck(spec),
    HostConfig: hostConfig(order, workload),
  }) as ContainerOptions;
}

/** The node's own bridge, short enough for the name of a Linux interface (15 characters). */
export function networkName(mesh: MeshId): string {
  return `shoal-${mesh.slice(0, 8)}`;
}

function hostConfig(order: StartOrder, workload: ContainerWorkload): Dockerode.HostConfig {
  const { spec, subnet } = order;
  const bridge = subnet === "" ? "bridge" : networkName(order.mesh);
  const mode = workload.networkMode ?? "bridge";
  return defined({
    NetworkMode: mode === "bridge" ? bridge : mode,
    // Tasks are replaced, never restarted; whether and when is the agent's business.
    RestartPolicy: { Name: "no" },
    ...mountConfig(workload.mounts),
    ...nameConfig(order, workload),
    PortBindings: mode === "bridge" ? portBindings(spec) : undefined,
    ExtraHosts: copy(workload.extraHosts),
    Init: workload.init,
    ReadonlyRootfs: workload.readOnly,
    Privileged: workload.privileged,
    CapAdd: copy(workload.capAdd),
    CapDrop: copy(workload.capDrop),
    SecurityOpt: copy(workload.securityOpt),
    GroupAdd: copy(workload.groupAdd),
    Devices: workload.devices?.map(({ host, container, permissions }) => ({
      PathOnHost: host,
      PathInContainer: container,
      CgroupPermissions: permissions,
    })),
    Ulimits: workload.ulimits?.map(({ name, soft, hard }) => ({
      Name: name,
      Soft: soft,
      Hard: hard,
    })),
    Sysctls: workload.sysctls,
    ShmSize: workload.shmSizeBytes,
    OomScoreAdj: workload.oomScoreAdj,
    PidMode: workload.pidMode,
    IpcMode: workload.ipcMode,
    UsernsMode: workload.userns,
    CgroupParent: workload.cgroupParent,
    Runtime: workload.runtime,
    LogConfig: workload.logging && {
      Type: workload.logging.driver,
      Config: workload.logging.options,
    },
    NanoCpus: scaled(spec.resources.cpuLimitMilli, 1_000_000),
    Memory: spec.resources.memoryLimitBytes,
    MemoryReservation: spec.resources.memoryReservationBytes,
    PidsLimit: spec.resources.pidsLimit,
  }) as Dockerode.HostConfig;
}

/**
 * The mesh's names, unless the spec brings its own servers. With `ndots:2` a resolver tries
 * "service.stack" with the search domains first; Docker's own `ndots:0` would have musl, which
 * never searches for a name with that many dots, find no short name at all.
 */
function nameConfig(
  { dnsAddress, spec }: StartOrder,
  { dns, dnsSearch, dnsOptions, networkMode }: ContainerWorkload,
): Partial<Dockerode.HostConfig> {
  const byMesh = dns === undefined && dnsAddress !== "" && networkMode !== "none";
  const { namespace } = splitServiceId(spec.service);
  return {
    Dns: copy(dns) ?? (byMesh ? [dnsAddress] : undefined),
    DnsSearch: copy(dnsSearch) ?? (byMesh ? [`${namespace}.mesh`, "mesh"] : undefined),
    DnsOptions: copy(dnsOptions) ?? (byMesh ? ["ndots:2"] : undefined),
  };
}

/** Only of mode `host`: the mesh itself listens on the others. */
function portBindings({ ports }: ServiceSpec): Record<string, { HostPort: string }[]> {
  const bindings: Record<string, { HostPort: string }[]> = {};
  for (const { mode, target, protocol, published } of ports) {
    if (mode !== "host") continue;
    const key = `${target}/${protocol}`;
    bindings[key] = [...(bindings[key] ?? []), { HostPort: String(published) }];
  }
  return bindings;
}

/** Paths go the old way, as `Binds`, because the engine then makes a directory that is missing. */
function mountConfig(mounts: readonly Mount[]): Partial<Dockerode.HostConfig> {
  const binds: string[] = [];
  const others: Dockerode.MountSettings[] = [];
  for (const mount of mounts) {
    const fitsBinds = mount.kind === "bind" && !`${mount.source}${mount.target}`.includes(":");
    if (fitsBinds) binds.push(`${mount.source}:${mount.target}${mount.readOnly ? ":ro" : ""}`);
    else others.push(mountSettings(mount));
  }
  return { Binds: binds, Mounts: others };
}

function mountSettings(mount: Mount): Dockerode.MountSettings {
  switch (mount.kind) {
    case "bind":
      return {
        Type: "bind",
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
      };
    case "volume":
      return defined({
        Type: "volume",
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
        VolumeOptions: defined({
          Labels: mount.labels,
          DriverConfig:
            mount.driver === undefined && mount.driverOptions === undefined
              ? undefined
              : { Name: mount.driver ?? "local", Options: mount.driverOptions ?? {} },
        }),
      }) as Dockerode.MountSettings;
    case "tmpfs":
      return {
        Type: "tmpfs",
        Target: mount.target,
        TmpfsOptions: defined({ SizeBytes: mount.sizeBytes, Mode: mount.mode }),
      } as Dockerode.MountSettings;
  }
}

/**
 * A command of the spec becomes Docker's own healthcheck, so that it goes on while no agent runs.
 * HTTP and TCP are asked from outside; the image's own check has no say where the spec has one.
 */
function healthcheck({ health }: ServiceSpec): Dockerode.HealthConfig | undefined {
  if (health.disabled) return { Test: ["NONE"] };
  if (health.liveness === undefined) return undefined;
  const { test } = health.liveness;
  if (test.kind !== "command") return { Test: ["NONE"] };
  const words = test.shell ? ["CMD-SHELL", test.command.join(" ")] : ["CMD", ...test.command];
  return { Test: words, ...healthTimes(health.liveness) };
}

/** In nanoseconds; the API takes no less than a millisecond for each. */
function healthTimes(check: Check): Omit<Dockerode.HealthConfig, "Test"> {
  const nanoseconds = (ms: number): number => ms * 1_000_000;
  return {
    Interval: nanoseconds(check.intervalMs),
    Timeout: nanoseconds(check.timeoutMs),
    Retries: check.retries,
    StartPeriod: nanoseconds(check.startPeriodMs),
  };
}

function copy(list: readonly string[] | undefined): string[] | undefined {
  return list === undefined ? undefined : [...list];
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

/** Without the keys that hold nothing: `null` and absent differ in Docker's eyes. */
function defined<Fields extends Record<string, unknown>>(fields: Fields): Fields {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Fields;
}
