/**
 * A bed of real hosts on one machine: network namespaces with a Docker Engine each, cables,
 * a switch, scissors and a plug to pull. `npm run hosts -- up 3` for people, `Bed` for tests.
 *
 * Everything stands in .data/hosts and in namespaces and control groups named after this
 * checkout; `down` takes all of it away, whatever is left of it.
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../tidy/source-tree.ts";
import { removeBedGroup } from "./cgroup.ts";
import { runCommand } from "./commands.ts";
import { writeHelloTar } from "./hello-image.ts";
import { Host } from "./host.ts";
import { Lan } from "./lan.ts";
import { type RunOptions, run } from "./shell.ts";

/**
 * For suites on a bed: left out where nobody can make hosts, except in CI, where a suite that does
 * not run proves nothing and `up` says why.
 */
export const onHosts = {
  skip:
    process.getuid?.() !== 0 &&
    process.env.CI !== "true" &&
    "only root can make hosts: sudo npm test",
};

export class Bed {
  readonly directory = join(root, ".data/hosts");
  /** "shoal-" and what tells this checkout from another on the same machine. */
  readonly tag = `shoal-${createHash("sha256").update(root).digest("hex").slice(0, 4)}`;
  readonly lan = new Lan(this.tag);

  /** The hosts that were ever up in this bed, by number from 1. */
  get hosts(): Host[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory)
      .flatMap((name) => /^host(\d+)$/.exec(name)?.slice(1).map(Number) ?? [])
      .sort((a, b) => a - b)
      .map((number) => new Host(number, this));
  }

  host(number: number): Host {
    const host = new Host(number, this);
    if (!existsSync(host.directory)) throw new Error(`the bed has no host ${number}`);
    return host;
  }

  /** Hosts 1 to `count` with their engines and images, on a network of their own. */
  async up(count: number): Promise<Host[]> {
    if (process.getuid?.() !== 0) throw new Error("only root can make hosts: they are namespaces");
    if (this.lan.isUp()) await this.down();
    await mkdir(this.directory, { recursive: true });
    await this.lan.up();
    const hosts = Array.from({ length: count }, (_, index) => new Host(index + 1, this));
    await writeHelloTar(this.#tar);
    for (const host of hosts) {
      await host.boot();
      await host.startEngine();
    }
    await Promise.all(hosts.map((host) => this.#furnish(host)));
    return hosts;
  }

  /** Back on after a power cut, with the disk it had. */
  async reboot(number: number): Promise<Host> {
    const host = this.host(number);
    await host.cutPower();
    await this.lan.unplug(number);
    await host.boot();
    await host.startEngine();
    await this.#furnish(host);
    return host;
  }

  async down(): Promise<void> {
    for (const host of this.hosts) await host.destroy();
    await this.lan.down();
    removeBedGroup(this.tag);
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A command on the operator's machine, which is on the network and in no mesh. */
  async client(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return await run(this.clientCommand(command), options);
  }

  clientCommand(command: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${this.lan.namespace("client")}`, ...command];
  }

  get #tar(): string {
    return join(this.directory, "hello.tar");
  }

  async #furnish(host: Host): Promise<void> {
    await host.engineReady();
    await host.loadImages(this.#tar);
  }
}

if (import.meta.main) process.exitCode = await runCommand(new Bed(), process.argv.slice(2));
