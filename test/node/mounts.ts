/** Small disks of their own for tests: full ones and read-only ones, which bind root as well. */

import { spawnSync } from "node:child_process";

export const isRoot = process.getuid?.() === 0;

export function mountDisk(path: string, size: string): void {
  mount("-t", "tmpfs", "-o", `size=${size},mode=700`, "tmpfs", path);
}

export function remount(path: string, mode: "ro" | "rw"): void {
  mount("-o", `remount,${mode}`, path);
}

export function unmountDisk(path: string): void {
  // Lazily: what a failed test left open must not keep the mount.
  spawnSync("umount", ["-l", path]);
}

function mount(...args: string[]): void {
  const { status, stderr } = spawnSync("mount", args);
  if (status !== 0) throw new Error(`mount ${args.join(" ")}: ${stderr}`);
}
