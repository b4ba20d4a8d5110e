/**
 * A control group per host of the bed: what the host uses can be read, it can be frozen whole,
 * and nothing of it is missed when the bed goes. Knows both versions of the kernel's interface.
 */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";

const top = "/sys/fs/cgroup";

/** Version 2 has one tree; version 1 has one per controller, side by side. */
const isUnified = existsSync(`${top}/cgroup.controllers`);

export class HostGroup {
  /** As dockerd wants its --cgroup-parent: from the top of each tree. */
  readonly path: string;
  readonly #bed: string;

  constructor(bed: string, host: string) {
    this.#bed = bed;
    this.path = `/${bed}/${host}`;
  }

  create(): void {
    for (const tree of trees()) {
      mkdirSync(`${tree}${this.path}`, { recursive: true });
      if (isUnified) this.#delegate(tree);
      else if (tree.endsWith("/cpuset")) this.#copySets(tree);
    }
  }

  /** Files that take a process in when its pid is written to them. */
  doors(): string[] {
    // In version 2 a group with groups below it may have no process of its own.
    const leaf = isUnified ? `${this.path}/init` : this.path;
    return trees().map((tree) => `${tree}${leaf}/cgroup.procs`);
  }

  /** Everything that runs on the host, containers and all, by the outside's pids. */
  processes(): number[] {
    const tree = trees().find((path) => isUnified || path.endsWith("/pids"));
    if (tree === undefined) return [];
    return groupsBelow(`${tree}${this.path}`).flatMap((group) =>
      readFileSync(`${group}/cgroup.procs`, "utf8").split("\n").filter(Boolean).map(Number),
    );
  }

  /** Stops everything on the host between two instructions, as a paused virtual machine is. */
  setFrozen(frozen: boolean): void {
    if (isUnified) writeFileSync(`${top}${this.path}/cgroup.freeze`, frozen ? "1" : "0");
    else {
      const state = frozen ? "FROZEN" : "THAWED";
      writeFileSync(`${top}/freezer${this.path}/freezer.state`, state);
    }
  }

  /** Only empty groups can go: false while a process of the host is still on its way out. */
  remove(): boolean {
    for (const tree of mountedTrees()) {
      for (const group of groupsBelow(`${tree}${this.path}`).reverse()) {
        try {
          rmdirSync(group);
        } catch {
          return false;
        }
      }
    }
    return true;
  }

  /** Each level hands its controllers to the next. A controller that is not there is no loss. */
  #delegate(tree: string): void {
    for (const level of ["", `/${this.#bed}`, this.path]) {
      for (const controller of ["cpu", "memory", "pids", "io"]) {
        try {
          writeFileSync(`${tree}${level}/cgroup.subtree_control`, `+${controller}`);
        } catch {}
      }
    }
    mkdirSync(`${tree}${this.path}/init`, { recursive: true });
  }

  /** A new cpuset group has no processors and no memory until it is given some. */
  #copySets(tree: string): void {
    for (const level of [`/${this.#bed}`, this.path]) {
      for (const set of ["cpuset.cpus", "cpuset.mems"]) {
        writeFileSync(`${tree}${level}/${set}`, readFileSync(`${tree}/${set}`));
      }
    }
  }
}

/** The bed's own level, when all its hosts are gone. */
export function removeBedGroup(bed: string): void {
  for (const tree of mountedTrees()) {
    try {
      rmdirSync(`${tree}/${bed}`);
    } catch {}
  }
}

/** Where controllers are. */
function trees(): string[] {
  return mountedTrees().filter((tree) => !tree.endsWith("/unified"));
}

/** The same and the tree without controllers beside version 1, which containerd uses as well. */
function mountedTrees(): string[] {
  if (isUnified) return [top];
  return readdirSync(top, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${top}/${entry.name}`);
}

/** The group itself first, then all below it. */
function groupsBelow(group: string): string[] {
  if (!existsSync(group)) return [];
  const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [group, ...below.flatMap((entry) => groupsBelow(`${group}/${entry.name}`))];
}
