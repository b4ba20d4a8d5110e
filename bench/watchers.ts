/** Watchers on several hosts of the bed, and the moment when enough containers serve. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Bed } from "../test/hosts/bed.ts";
import { helloPort } from "../test/hosts/hello-image.ts";
import type { Host } from "../test/hosts/host.ts";
import { until } from "../test/until.ts";

export type Serving = {
  /** Unix ms of the first answer. */
  readonly atMs: number;
  readonly host: number;
  readonly container: string;
};

export class Watchers {
  readonly #children: ChildProcess[] = [];
  readonly #serving: Serving[] = [];

  /** Watches containers with a label on these hosts, those that run already included. */
  static async open(bed: Bed, hosts: readonly Host[], label: string): Promise<Watchers> {
    const watchers = new Watchers();
    await Promise.all(hosts.map((host) => watchers.#watch(bed, host, label)));
    return watchers;
  }

  serving(hosts?: readonly Host[]): Serving[] {
    if (hosts === undefined) return this.#serving;
    return this.#serving.filter(({ host }) => hosts.some(({ number }) => number === host));
  }

  /** Unix ms at which `count` containers of these hosts had answered. */
  async untilServing(count: number, hosts: readonly Host[], deadlineMs: number): Promise<number> {
    const what = `${count} containers serving`;
    await until(() => this.serving(hosts).length >= count, deadlineMs, what);
    return this.serving(hosts)
      .map(({ atMs }) => atMs)
      .sort((a, b) => a - b)[count - 1] as number;
  }

  close(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #watch(bed: Bed, host: Host, label: string): Promise<void> {
    const network = `--net=/run/netns/${bed.lan.namespace(host.number)}`;
    // The host's own /run, seen from outside.
    const socket = `/proc/${host.pid}/root/run/docker.sock`;
    const script = join(import.meta.dirname, "serving-watch.ts");
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", script];
    const args = [network, ...node, socket, label, String(helloPort)];
    const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.push(child);
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`a watcher ended with ${code}`)));
      lines.on("line", (line) => {
        if (line === "ready") return resolve();
        const { atMs, container } = JSON.parse(line);
        this.#serving.push({ atMs, container, host: host.number });
      });
    });
  }
}
