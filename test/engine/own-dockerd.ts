/**
 * A Docker daemon of this test's own: its own data, socket and containerd, no default bridge and
 * no firewall rules, so that it changes nothing of the machine that it does not take away again.
 * Its images are made on the spot from busybox; no registry is asked.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommand } from "../prepare.ts";
import { until } from "../until.ts";

const applets =
  "cat echo env false grep head hostname httpd id kill ls mkdir nc printf ps rm sh sleep stty " +
  "tail test touch tr true wc";

export class OwnDockerd {
  readonly directory: string;
  readonly socketPath: string;
  #daemon: ChildProcess | undefined;

  private constructor(directory: string) {
    this.directory = directory;
    this.socketPath = join(directory, "docker.sock");
  }

  static async create(): Promise<OwnDockerd> {
    const own = new OwnDockerd(await mkdtemp(join(tmpdir(), "shoal-dockerd-")));
    await own.start();
    return own;
  }

  async start(): Promise<void> {
    const { directory } = this;
    const log = openSync(join(directory, "dockerd.log"), "a");
    const flags = {
      "data-root": join(directory, "data"),
      "exec-root": join(directory, "exec"),
      pidfile: join(directory, "docker.pid"),
      host: `unix://${this.socketPath}`,
      bridge: "none",
      iptables: "false",
      ip6tables: "false",
      "ip-forward": "false",
      "log-level": "warn",
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const program = findCommand("dockerd") as string;
    this.#daemon = spawn(program, args, { stdio: ["ignore", log, log], detached: true });
    await until(() => this.#answers(), 60_000, "dockerd's first answer");
  }

  /** Like a crash: containers are left running, and the next daemon ends those it finds. */
  async kill(): Promise<void> {
    if (this.#isDead) return;
    const daemon = this.#daemon as ChildProcess;
    const exited = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await exited;
    // Its containerd dies with it, and where no init reaps it, the next daemon would take the
    // zombie of that pid for a containerd that is about to answer.
    await rm(join(this.directory, "exec/containerd/containerd.pid"), { force: true });
  }

  /** Frozen between two instructions: it accepts connections and answers nothing. */
  setFrozen(frozen: boolean): void {
    this.#daemon?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async stop(): Promise<void> {
    // Only a daemon that lives can end its containerd, its containers and its bridges.
    if (this.#isDead) await this.start();
    const containers = this.docker("ps", "-aq").split("\n").filter(Boolean);
    if (containers.length > 0) this.docker("rm", "-f", ...containers);
    this.docker("network", "prune", "-f");
    const daemon = this.#daemon as ChildProcess;
    const gone = once(daemon, "exit");
    daemon.kill("SIGTERM");
    await gone;
    this.#unmount();
    await until(
      async () => {
        await rm(this.directory, { recursive: true, force: true });
        return true;
      },
      20_000,
      "the end of dockerd's disk",
    );
  }

  docker(...args: string[]): string {
    return this.#docker(args);
  }

  /** From an image that is there, by lines of a Dockerfile. */
  deriveImage(name: string, lines: readonly string[]): void {
    this.#docker(["build", "-t", name, "-"], lines.join("\n"));
  }

  /** A daemon that was killed leaves mounts behind, which the one after it does not know. */
  #unmount(): void {
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    for (const line of mounts.reverse()) {
      const [, path = ""] = line.split(" ");
      if (path.startsWith(`${this.directory}/`)) spawnSync("umount", ["--lazy", path]);
    }
  }

  get #isDead(): boolean {
    return this.#daemon?.exitCode !== null || this.#daemon.signalCode !== null;
  }

  #docker(args: readonly string[], input = ""): string {
    const done = spawnSync("docker", ["-H", `unix://${this.socketPath}`, ...args], {
      encoding: "utf8",
      input,
      // The old builder is in the daemon; the new one would have to be fetched.
      env: { ...process.env, DOCKER_BUILDKIT: "0" },
    });
    if (done.status !== 0) throw new Error(`docker ${args.join(" ")}: ${done.stderr}`);
    return done.stdout.trim();
  }

  async makeImage(name: string): Promise<void> {
    const tree = join(this.directory, "tree");
    await mkdir(join(tree, "bin"), { recursive: true });
    await mkdir(join(tree, "etc"), { recursive: true });
    await mkdir(join(tree, "tmp"), { recursive: true });
    await mkdir(join(tree, "www"), { recursive: true });
    await copyFile(findCommand("busybox") as string, join(tree, "bin/busybox"));
    await chmod(join(tree, "bin/busybox"), 0o755);
    for (const applet of applets.split(" ")) {
      await symlink("busybox", join(tree, "bin", applet));
    }
    await writeFile(
      join(tree, "etc/passwd"),
      "root:x:0:0::/:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n",
    );
    await writeFile(join(tree, "www/index.html"), "well\n");
    const tar = join(this.directory, "image.tar");
    spawnSync("tar", ["-C", tree, "--owner=0", "--group=0", "-cf", tar, "."]);
    await rm(tree, { recursive: true });
    this.docker("import", tar, name);
    await rm(tar);
  }

  #answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const request = get({ socketPath: this.socketPath, path: "/_ping", agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.on("error", () => resolve(false));
    request.setTimeout(1_000, () => request.destroy());
    return promise;
  }
}
