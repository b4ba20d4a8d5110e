/**
 * Control groups of a task: its limits, what it uses, and all its processes, whatever they did to
 * get away. A door. Knows both versions of the kernel's interface.
 *
 * In version 2 the groups stand at the top of the tree this process sees, not below the agent's
 * own, since a service manager that stops the agent stops what is below it.
 *
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { ResourceSpec } from "../../model/spec.ts";

const top = "/sys/fs/cgroup";
const controllers = ["cpu", "cpuacct", "memory", "pids"] as const;
type Controller = (typeof controllers)[number];

export type GroupUsage = {
  readonly cpuMicroseconds: number;
  readonly memoryBytes: number;
  readonly pids: number;
};

/** A limit of the spec as a file of a group and what is written to it. */
type Setting = {
  readonly controller: Controller;
  readonly name: string;
  readonly v1: readonly [file: string, value: string];
  readonly v2: readonly [file: string, value: string];
};

const cpuPeriodUs = 100_000;

function settingsOf(limits: ResourceSpec): Setting[] {
  const settings: Setting[] = [];
  const { cpuLimitMilli, memoryLimitBytes, pidsLimit } = limits;
  if (cpuLimitMilli !== undefined) {
    // The kernel takes no quota below 1 ms.
    const quota = String(Math.max(1_000, (cpuLimitMilli * cpuPeriodUs) / 1_000));
    settings.push({
      controller: "cpu",
      name: "CPU limit",
      v1: ["cpu.cfs_quota_us", quota],
      v2: ["cpu.max", `${quota} ${cpuPeriodUs}`],
    });
  }
  if (memoryLimitBytes !== undefined) {
    const bytes = String(memoryLimitBytes);
    settings.push({
      controller: "memory",
      name: "memory limit",
      v1: ["memory.limit_in_bytes", bytes],
      v2: ["memory.max", bytes],
    });
  }
  if (pidsLimit !== undefined) {
    // The wrapper is one of them, and not the operator's.
    const pids = String(pidsLimit + 1);
    const setting = ["pids.max", pids] as const;
    settings.push({ controller: "pids", name: "limit of processes", v1: setting, v2: setting });
  }
  return settings;
}

export class ControlGroup {
  /** One in version 2, one for each controller in version 1. Empty where none may be made. */
  readonly paths: readonly string[];

  constructor(paths: readonly string[]) {
    this.paths = paths;
  }

  /** With the names of the limits that cannot be enforced here, each with its reason. */
  static create(name: string, limits: ResourceSpec): { group: ControlGroup; unenforced: string[] } {
    const { made, errors } = isUnified() ? makeUnified(name) : makeByController(name);
    const unenforced: string[] = [];
    for (const setting of settingsOf(limits)) {
      const path = made.get(setting.controller);
      const reason =
        path === undefined
          ? (errors.get(setting.controller) ?? "there is no such control group")
          : write(path, isUnified() ? setting.v2 : setting.v1);
      if (reason !== undefined) unenforced.push(`${setting.name}: ${reason}`);
    }
    return { group: new ControlGroup([...new Set(made.values())]), unenforced };
  }

  /** Files that take a process in when its pid is written to them. */
  get doors(): string[] {
    return this.paths.map((path) => `${path}/cgroup.procs`);
  }

  /** How many of its processes the kernel killed for want of memory. */
  get oomKills(): number {
    return this.#number(/^oom_kill (\d+)$/m, "memory.events", "memory.oom_control");
  }

  /** Undefined without groups. */
  get usage(): GroupUsage | undefined {
    if (this.paths.length === 0) return undefined;
    const cpu = this.#number(/^usage_usec (\d+)$/m, "cpu.stat");
    const cpuV1 = this.#number(/^(\d+)$/m, "cpuacct.usage") / 1000;
    const memory = this.#number(/^(\d+)$/m, "memory.current", "memory.usage_in_bytes");
    const cache =
      this.#number(/^total_inactive_file (\d+)$/m, "memory.stat") ||
      this.#number(/^inactive_file (\d+)$/m, "memory.stat");
    return {
      cpuMicroseconds: cpu || cpuV1,
      memoryBytes: Math.max(0, memory - cache),
      pids: this.#number(/^(\d+)$/m, "pids.current"),
    };
  }

  /** What is left of the task, those that left its session included. */
  killAll(): void {
    for (const path of this.paths) {
      if (write(path, ["cgroup.kill", "1"]) === undefined) continue;
      for (const pid of read(`${path}/cgroup.procs`).split("\n").filter(Boolean)) {
        try {
          process.kill(Number(pid), "SIGKILL");
        } catch {
          // It has just ended by itself.
        }
      }
    }
  }

  /** False while a process in it is still on its way out. */
  remove(): boolean {
    for (const path of this.paths) {
      try {
        rmdirSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") return false;
      }
    }
    return true;
  }

  /** The first number that a file of any of the groups has; 0 for none. */
  #number(pattern: RegExp, ...files: readonly string[]): number {
    for (const path of this.paths) {
      for (const file of files) {
        const found = pattern.exec(read(`${path}/${file}`))?.[1];
        if (found !== undefined) return Number(found);
      }
    }
    return 0;
  }
}

type Made = {
  readonly made: ReadonlyMap<Controller, string>;
  readonly errors: ReadonlyMap<Controller, string>;
};

function isUnified(): boolean {
  return existsSync(`${top}/cgroup.controllers`);
}

/** Each level hands its controllers on to the next. */
function makeUnified(name: string): Made {
  const made = new Map<Controller, string>();
  const errors = new Map<Controller, string>();
  const path = `${top}/shoal/${name}`;
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    for (const controller of controllers) errors.set(controller, reasonOf(error));
    return { made, errors };
  }
  for (const controller of ["cpu", "memory", "pids"] as const) {
    const reasons = [top, dirname(path)].map((level) =>
      write(level, ["cgroup.subtree_control", `+${controller}`]),
    );
    const has = read(`${path}/cgroup.controllers`).split(/\s/).includes(controller);
    if (has) made.set(controller, path);
    else errors.set(controller, reasons.find(Boolean) ?? "the kernel hands it to nobody");
  }
  // Without any controller it still holds the processes together.
  if (made.size === 0) made.set("cpuacct", path);
  return { made, errors };
}

function makeByController(name: string): Made {
  const made = new Map<Controller, string>();
  const errors = new Map<Controller, string>();
  for (const controller of controllers) {
    const tree = `${top}/${controller}`;
    const path = `${tree}${ownPath(tree, controller)}/shoal/${name}`;
    try {
      if (!existsSync(tree)) throw new Error("there is no such controller");
      mkdirSync(path, { recursive: true });
      made.set(controller, path);
    } catch (error) {
      errors.set(controller, reasonOf(error));
    }
  }
  return { made, errors };
}

/** Where this process itself is in a tree of version 1; "" at its top. */
function ownPath(tree: string, controller: Controller): string {
  for (const line of read("/proc/self/cgroup").split("\n")) {
    const [, names = "", path = "/"] = line.split(":");
    if (names.split(",").includes(controller) && path !== "/" && existsSync(tree + path)) {
      // A group of ours is no place for the next one: an agent may itself be a task.
      return basename(dirname(path)) === "shoal"
        ? dirname(dirname(path)).replace(/^\/$/, "")
        : path;
    }
  }
  return "";
}

/** Undefined when it went well, else why not. */
function write(path: string, [file, value]: readonly [string, string]): string | undefined {
  try {
    if (!existsSync(`${path}/${file}`)) return `there is no ${file}`;
    writeFileSync(`${path}/${file}`, value);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
