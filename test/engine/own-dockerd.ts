/**
 * A Docker daemon of this test's own: its own data, socket and containerd, no default bridge and
 * no firewall rules, so that it changes nothing of the machine that it does not take away again.
 * Its images are made on the spot from busybox; no registry is asked.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommand } from "../prepare.ts";
import { until } from "../until.ts";

const applets =
  "cat echo env false head hostname httpd id kill mkdir nc printf ps rm sh sleep stty";
const moreApplets = "test touch tr true wc yes ls sed";

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
    const daemon = this.#daemon as ChildProcess;
    const exited = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await exited;
  }

  /** Frozen between two instructions: it accepts connections and answers nothing. */
  setFrozen(frozen: boolean): void {
    this.#daemon?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    if (daemon.exitCode === null && daemon.signalCode === null) {
      // Its bridges would outlive it.
      const containers = this.docker("ps", "-aq").split("\n").filter(Boolean);
      if (containers.length > 0) this.docker("rm", "-f", ...containers);
      this.docker("network", "prune", "-f");
      const gone = once(daemon, "exit");
      daemon.kill("SIGTERM");
      await gone;
    }
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
    const done = spawnSync("docker", ["-H", `unix://${this.socketPath}`, ...args], {
      encoding: "utf8",
    });
    if (done.status !== 0) throw new Error(`docker ${args.join(" ")}: ${done.stderr}`);
    return done.stdout.trim();
  }

  /** `changes` are lines of a Dockerfile. */
  async makeImage(name: string, changes: readonly string[] = []): Promise<void> {
    const tree = join(this.directory, "tree");
    await mkdir(join(tree, "bin"), { recursive: true });
    await mkdir(join(tree, "etc"), { recursive: true });
    await mkdir(join(tree, "tmp"), { recursive: true });
    await mkdir(join(tree, "www"), { recursive: true });
    await copyFile(findCommand("busybox") as string, join(tree, "bin/busybox"));
    await chmod(join(tree, "bin/busybox"), 0o755);
    for (const applet of `${applets} ${moreApplets}`.split(" ")) {
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
    const flags = changes.flatMap((change) => ["--change", change]);
    this.docker("import", ...flags, tar, name);
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
