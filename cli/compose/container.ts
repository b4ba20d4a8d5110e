/** A service's container: everything that Compose says and the docker engine is told. */

import type { ContainerWorkload, DeviceMapping, Ulimit } from "../../model/spec.ts";
import { readContainerLabels, readEnvironment, refuseTemplate } from "./environment.ts";
import { defined, type Field } from "./field.ts";
import { readMounts } from "./mounts.ts";
import type { SourceContext } from "./source.ts";

type Workload = Partial<ContainerWorkload>;

/** `volumes` is the top-level field of that name. */
export function readContainer(
  service: Field,
  volumes: Field,
  context: SourceContext,
): ContainerWorkload | undefined {
  const image = readImage(service);
  const { stack, directory, env } = context;
  const mounts = readMounts(service, { stack, directory, home: env.HOME ?? "/root", volumes });
  const workload = {
    env: readEnvironment(service, context),
    containerLabels: readContainerLabels(service, context),
    mounts,
    ...readCommands(service),
    ...readHostSide(service),
    ...readRights(service),
    ...readNaming(service),
  };
  return image === undefined ? undefined : { kind: "container", image, ...workload };
}

function readImage(service: Field): string | undefined {
  const image = service.get("image").word();
  const build = service.get("build");
  if (image === undefined && build.isPresent) {
    return build.unsupported("building: build and push an image, then name it with `image`");
  }
  if (image === undefined) return service.invalid("needs an image");
  if (build.isPresent) build.ignored(`the image ${image} is used as it is`);
  if (!/^[\w./:@-]+$/.test(image)) return service.get("image").invalid(`"${image}" is no image`);
  return image;
}

function readCommands(service: Field): Workload {
  const stopGraceMs = service.get("stop_grace_period").durationMs();
  return defined({
    entrypoint: service.get("entrypoint").command(),
    command: service.get("command").command(),
    workingDir: service.get("working_dir").word(),
    init: service.get("init").flag(),
    tty: service.get("tty").flag(),
    stdinOpen: service.get("stdin_open").flag(),
    stopSignal: service.get("stop_signal").word(),
    stopGraceMs,
    pull: readPull(service.get("pull_policy")),
    platform: service.get("platform").word(),
  });
}

function readPull(field: Field): ContainerWorkload["pull"] {
  const word = field.word();
  if (word === "if_not_present") return "missing";
  if (word === "build") return field.unsupported("building: build and push an image first");
  if (word === "daily" || word === "weekly" || word?.startsWith("every_")) return "always";
  return field.choice(["always", "missing", "never"]);
}

function readHostSide(service: Field): Workload {
  const logging = service.get("logging");
  const options = Object.fromEntries(
    [...logging.get("options").pairs()].map(([key, value]) => [key, value ?? ""]),
  );
  const driver = logging.get("driver").word();
  const sysctls = service.get("sysctls");
  const named = Object.fromEntries([...sysctls.pairs()].map(([key, value]) => [key, value ?? ""]));
  return defined({
    devices: presentList(service.get("devices"), readDevice),
    ulimits: readUlimits(service.get("ulimits")),
    sysctls: sysctls.isPresent ? named : undefined,
    shmSizeBytes: service.get("shm_size").bytes(),
    oomScoreAdj: service.get("oom_score_adj").whole(-1000, 1000),
    cgroupParent: service.get("cgroup_parent").word(),
    runtime: service.get("runtime").word(),
    // Options alone belong to the engine's usual driver.
    logging: logging.isPresent ? { driver: driver ?? "json-file", options } : undefined,
  });
}

function presentList<Item>(field: Field, read: (item: Field) => Item[]): Item[] | undefined {
  return field.isPresent ? field.items().flatMap(read) : undefined;
}

function readDevice(item: Field): DeviceMapping[] {
  if (item.tree?.kind === "map") {
    const host = item.get("source").word();
    if (host === undefined) item.invalid("needs a source");
    const container = item.get("target").word() ?? host;
    const permissions = item.get("permissions").word() ?? "rwm";
    return host === undefined ? [] : [{ host, container: container ?? host, permissions }];
  }
  const [host = "", container = host, permissions = "rwm"] = (item.word() ?? "").split(":");
  if (host.startsWith("/")) return [{ host, container, permissions }];
  item.unsupported(`"${item.word() ?? ""}" is no device of the host's /dev`);
  return [];
}

function readUlimits(field: Field): Ulimit[] | undefined {
  if (!field.isPresent) return undefined;
  return field.entries().flatMap(([name, limit]) => {
    const isMap = limit.tree?.kind === "map";
    const soft = (isMap ? limit.get("soft") : limit).whole(-1);
    const hard = (isMap ? limit.get("hard") : limit).whole(-1);
    if (soft !== undefined && hard !== undefined) return [{ name, soft, hard }];
    if (isMap && (!limit.get("soft").isPresent || !limit.get("hard").isPresent)) {
      limit.invalid("needs both soft and hard");
    }
    return [];
  });
}

function readRights(service: Field): Workload {
  return defined({
    user: service.get("user").word(),
    groupAdd: texts(service.get("group_add")),
    readOnly: service.get("read_only").flag(),
    privileged: service.get("privileged").flag(),
    capAdd: texts(service.get("cap_add")),
    capDrop: texts(service.get("cap_drop")),
    securityOpt: texts(service.get("security_opt")),
    userns: service.get("userns_mode").word(),
    pidMode: readSharing(service.get("pid")),
    ipcMode: readSharing(service.get("ipc")),
  });
}

function texts(field: Field): string[] | undefined {
  return field.isPresent ? field.items().flatMap((item) => item.text() ?? []) : undefined;
}

/** "host", "private", "shareable"; another container's namespace may be on another node. */
function readSharing(field: Field): string | undefined {
  const mode = field.word();
  if (mode?.startsWith("service:") || mode?.startsWith("container:")) {
    return field.unsupported(`"${mode}": the other container may run on another node`);
  }
  return mode;
}

function readNaming(service: Field): Workload {
  const hostname = service.get("hostname");
  refuseTemplate(hostname, hostname.word() ?? "");
  const extraHosts = [...service.get("extra_hosts").pairs()].map(([name, address]) => {
    return address === null ? name : `${name}:${address}`;
  });
  return defined({
    hostname: hostname.word(),
    domainname: service.get("domainname").word(),
    extraHosts: service.get("extra_hosts").isPresent ? extraHosts : undefined,
    dns: service.get("dns").texts(),
    dnsSearch: service.get("dns_search").texts(),
    dnsOptions: texts(service.get("dns_opt")),
    networkMode: readNetworkMode(service.get("network_mode")),
  });
}

function readNetworkMode(field: Field): ContainerWorkload["networkMode"] {
  const mode = readSharing(field);
  if (mode === undefined || mode === "default") return undefined;
  const choices = ["bridge", "host", "none"] as const;
  const known = choices.find((choice) => choice === mode);
  return known ?? field.unsupported(`"${mode}": bridge, host or none`);
}
