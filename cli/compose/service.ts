/**
 * One service of a Compose file as the spec that the mesh keeps. Begin reading at `readService`.
 */

import { isName, serviceId } from "../../model/ids.ts";
import type { Mount, ServiceSpec, UpdateSpec } from "../../model/spec.ts";
import { readContainer } from "./container.ts";
import { readMode, readResources, readRestart, readRollback, readUpdate } from "./deploy.ts";
import { readLabels } from "./environment.ts";
import type { Field } from "./field.ts";
import { readHealth } from "./health.ts";
import { checkNeighbours } from "./neighbours.ts";
import { readPlacement } from "./placement.ts";
import { readExpose, readPorts } from "./ports.ts";
import { readProcess } from "./process.ts";
import type { SourceContext } from "./source.ts";

export type ReadService = {
  readonly spec: ServiceSpec;
  /** Undefined when the file leaves it open. */
  readonly replicas: number | undefined;
};

/** Undefined when something is wrong that leaves no spec; what, is among the problems. */
export function readService(
  name: string,
  service: Field,
  volumes: Field,
  context: SourceContext,
): ReadService | undefined {
  checkName(name, service);
  checkNeighbours(name, service);
  const engine = service.get("x-shoal").get("engine").choice(["docker", "process"]) ?? "docker";
  const workload =
    engine === "process" ? readProcess(service, context) : readContainer(service, volumes, context);
  const { mode, replicas } = readMode(service);
  const ports = readPorts(service.get("ports"), `${context.stack}/${name}`);
  const mounts = workload?.kind === "container" ? workload.mounts : [];
  const networkMode = workload?.kind === "container" ? workload.networkMode : undefined;
  const isExclusive = networkMode === "host" || ports.some((port) => port.mode === "host");
  const order = safeOrder(isExclusive, mode === "global" ? 1 : (replicas ?? 1), mounts);
  const deploy = service.get("deploy");
  const policy = {
    mode,
    ports,
    expose: readExpose(service.get("expose")),
    endpointMode: deploy.get("endpoint_mode").choice(["vip", "dnsrr"]) ?? "vip",
    placement: readPlacement(service),
    resources: readResources(service),
    health: readHealth(service),
    update: readUpdate(deploy.get("update_config"), order),
    rollback: readRollback(deploy.get("rollback_config"), order),
    restart: readRestart(service),
    isolation: readIsolation(service, mode, mounts),
    labels: readLabels(deploy.get("labels")),
  };
  if (workload === undefined) return undefined;
  const id = serviceId(context.stack, name);
  return { spec: { service: id, stack: context.stack, workload, ...policy }, replicas };
}

function checkName(name: string, service: Field): void {
  if (isName(name)) return;
  const better = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  service.invalid(`a service's name is its name in DNS (a-z, 0-9, "-"): call it "${better}"`);
}

/**
 * Start-first, unless two tasks of one replica cannot run at once: they would want the same port
 * of the host, or write to the same volume.
 */
function safeOrder(
  isExclusive: boolean,
  replicas: number,
  mounts: readonly Mount[],
): UpdateSpec["order"] {
  const ownsVolume = replicas === 1 && mounts.some(isLocalVolume);
  return isExclusive || ownsVolume ? "stop-first" : "start-first";
}

/** Data that stays behind on its node. Network file systems mount anywhere. */
function isLocalVolume(mount: Mount): boolean {
  if (mount.kind !== "volume" || mount.source === undefined || mount.readOnly) return false;
  const type = mount.driverOptions?.type ?? "";
  const isRemote = /^(nfs|cifs|smb|glusterfs|ceph)/.test(type);
  return !isRemote && (mount.driver === undefined || mount.driver === "local");
}

function readIsolation(
  service: Field,
  mode: ServiceSpec["mode"],
  mounts: readonly Mount[],
): ServiceSpec["isolation"] {
  const field = service.get("x-shoal").get("isolation");
  const stays = mode === "replicated" && mounts.some(isLocalVolume);
  return field.choice(["run", "stay", "majority"]) ?? (stays ? "stay" : "run");
}
