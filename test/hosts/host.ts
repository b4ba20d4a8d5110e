/**
 * One host of the test bed: namespaces of its own for network, mounts, processes, names and
 * messages, a disk that outlives it, and a Docker Engine. Everything that is done on it goes
 * through `exec`.
 */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../until.ts";
import { HostGroup } from "./cgroup.ts";
import { helloVersions, importCommand } from "./hello-image.ts";
import { gateway, type Lan } from "./lan.ts";
import { attempt, type Output, type RunOptions, run } from "./shell.ts";

/** A disk of its own on each host, small enough to be filled. */
const agentDirectory = "/var/lib/shoal";
const filler = `${agentDirectory}/filler`;
/** The database of a small mesh has 0.3 MB; task logs of the process engine come to some more. */
const agentDiskSize = "64m";
const initScript = join(import.meta.dirname, "host-init.sh");
/** dockerd here is ready in 1 s; a machine under load may need much longer. */
const engineReadyMs = 60_000;
/** Nothing of the caller's environment reaches a host. */
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class Host {
  readonly number: number;
  readonly name: string;
  /** Its disk and its logs. */
  readonly directory: string;
  readonly group: HostGroup;
  readonly #lan: Lan;

  constructor(number: number, bed: { directory: string; tag: string; lan: Lan }) {
    this.number = number;
    this.name = `host${number}`;
    this.directory = join(bed.directory, this.name);
    this.group = new HostGroup(bed.tag, this.name);
    this.#lan = bed.lan;
  }

  get address(): string {
    const file = join(this.directory, "address");
    return existsSync(file) ? readFileSync(file, "utf8") : this.#lan.address(this.number);
  }

  /** Power on: the disk is as it was left, or new. Without the engine, see `startEngine`. */
  async boot(): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await rm(join(this.directory, "ready"), { force: true });
    await this.#insertDisk();
    await this.#lan.plug(this.number, this.address);
    this.group.create();
    const log = await open(join(this.directory, "init.log"), "a");
    const init = [initScript, this.name, this.directory, gateway];
    const namespaces = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"];
    const network = `--net=/run/netns/${this.#lan.namespace(this.number)}`;
    const [program, ...args] = this.#inGroup(["nsenter", network, ...namespaces, ...init]);
    const stdio = ["ignore", log.fd, log.fd] as const;
    spawn(program as string, args, { detached: true, stdio: [...stdio], cwd: "/" }).unref();
    await log.close();
    await until(() => existsSync(join(this.directory, "ready")), 10_000, `${this.name}'s start`);
  }

  /** The first process's pid; undefined when the host is off. */
  get pid(): number | undefined {
    try {
      const pid = Number(readFileSync(join(this.directory, "init.pid"), "utf8"));
      // Pids come round again: only a process that runs our script is ours.
      const isOurs = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(initScript);
      return isOurs ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  /** Silent: the cable goes first, so that no peer sees a FIN or a RST. */
  async cutPower(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    await this.#lan.setCable(this.number, "down");
    process.kill(pid, "SIGKILL");
    await until(() => this.pid === undefined, 10_000, `${this.name}'s end`);
    await this.#lan.unplug(this.number);
  }

  /** Power off for good: its disk goes too. Does what it can when half of it is gone already. */
  async destroy(): Promise<void> {
    const { pid } = this;
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await until(() => this.pid === undefined, 10_000, `${this.name}'s end`);
    await this.#lan.unplug(this.number);
    await until(() => this.group.remove(), 10_000, `the end of ${this.name}'s processes`);
    await attempt(["umount", "-l", this.#agentDisk]);
    // The kernel takes the mounts of a dead namespace down in its own time.
    await until(
      async () => {
        await rm(this.directory, { recursive: true, force: true });
        return true;
      },
      10_000,
      `the end of ${this.name}'s disk`,
    );
  }

  /** To the last byte, as a runaway log does. */
  async fillDisk(): Promise<void> {
    const lines = [
      `mountpoint -q ${agentDirectory}`,
      // Ends when nothing more fits: in large pieces first, then byte by byte.
      `for size in 1M 4k 1; do dd if=/dev/zero bs=$size >>${filler} 2>/dev/null || :; done`,
    ];
    await this.exec(["sh", "-c", lines.join(" && ")]);
  }

  async freeDisk(): Promise<void> {
    await this.exec(["rm", "-f", filler]);
  }

  /** A command as root on the host. */
  async exec(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return await run(this.command(command), options, `${this.name}: ${command.join(" ")}`);
  }

  /** The same, for those who want the exit code. */
  async attempt(command: readonly string[], options: RunOptions = {}): Promise<Output> {
    return await attempt(this.command(command), options);
  }

  /** What runs a command on the host, for those who spawn it themselves. */
  command(command: readonly string[]): string[] {
    const { pid } = this;
    if (pid === undefined) throw new Error(`${this.name} is down`);
    const env = ["env", "-i", `PATH=${path}`, "HOME=/var/lib/operator", "LANG=C.UTF-8"];
    const namespaces = ["nsenter", "-t", String(pid), "-m", "-u", "-i", "-n", "-p", "--"];
    return this.#inGroup([...namespaces, ...env, ...command]);
  }

  async startEngine(): Promise<void> {
    const args = `--cgroup-parent ${this.group.path} --storage-driver overlay2 --log-level warn`;
    // Without the variable, each look-up of an image waits for a registry that is not there.
    await this.exec([
      "sh",
      "-c",
      "mkdir -p /var/lib/operator && rm -f /run/docker.pid && " +
        "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1 " +
        `setsid dockerd ${args} >>${this.directory}/dockerd.log 2>&1 </dev/null &`,
    ]);
  }

  async engineReady(): Promise<void> {
    const ping = ["curl", "-sf", "-m", "2", "--unix-socket", "/run/docker.sock", "http://d/_ping"];
    const answers = async () => (await this.attempt(ping)).stdout === "OK";
    await until(answers, engineReadyMs, `${this.name}'s engine`);
  }

  /** Containers live on, until the engine is started again: Docker then ends those it finds. */
  async killEngine(): Promise<void> {
    await this.exec(["sh", "-c", "kill -9 $(cat /run/docker.pid)"]);
  }

  /** hello:1 and hello:2, from the tar made for the bed. Known ones stay. */
  async loadImages(tar: string): Promise<void> {
    const input = await readFile(tar);
    for (const version of helloVersions) {
      const known = ["docker", "image", "inspect", `hello:${version}`];
      if ((await this.attempt(known)).code === 0) continue;
      await this.exec(importCommand(version), { input });
    }
  }

  async readdress(address: string): Promise<void> {
    await this.#lan.readdress(this.number, this.address, address);
    await writeFile(join(this.directory, "address"), address);
  }

  get #agentDisk(): string {
    return join(this.directory, "disk/agent");
  }

  /** Mounted outside, so that it outlives the host's own mounts: a power cut keeps it. */
  async #insertDisk(): Promise<void> {
    await mkdir(this.#agentDisk, { recursive: true });
    if ((await attempt(["mountpoint", "-q", this.#agentDisk])).code === 0) return;
    const options = `size=${agentDiskSize},mode=700`;
    await run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", this.#agentDisk]);
  }

  /** Joins the host's control group, then becomes the command. */
  #inGroup(command: readonly string[]): string[] {
    const join = this.group.doors().map((door) => `echo $$ >${door} 2>/dev/null || :`);
    return ["sh", "-c", `cd /; ${join.join("; ")}; exec "$@"`, "sh", ...command];
  }
}
