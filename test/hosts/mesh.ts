/**
 * A mesh on the bed: agents installed and joined by vagrant/provision.sh, as on any machine, and
 * the command `shoal` on each host.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openClient } from "../../api/client.ts";
import { isAgent } from "../../cli/demo-mesh.ts";
import type { MeshView } from "../../model/view.ts";
import { root } from "../tidy/source-tree.ts";
import { until } from "../until.ts";
import type { Bed } from "./bed.ts";
import type { Host } from "./host.ts";

const script = join(root, "vagrant/provision.sh");
/** Copying the checkout takes 3 s, joining 1 s; the rest is for machines under load. */
const provisionMs = 120_000;

type Provision = {
  readonly token?: string;
  readonly args?: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** Of the person who types on a host of the bed: see `Host.command`. */
const keyFile = "/var/lib/operator/.config/shoal/key";

export class BedMesh {
  readonly bed: Bed;

  constructor(bed: Bed) {
    this.bed = bed;
  }

  /** Begins a mesh on the first host; all others join by one invite. */
  static async form(bed: Bed, name = "bed", args = ""): Promise<BedMesh> {
    const mesh = new BedMesh(bed);
    const [first, ...others] = bed.hosts as [Host, ...Host[]];
    for (const host of bed.hosts) await mesh.#provision(host, ["install"], { args });
    await mesh.#provision(first, ["first", name]);
    if (others.length > 0) {
      const token = (await mesh.shoal(first, ["invite", "--uses", String(others.length)])).trim();
      await Promise.all(others.map((host) => mesh.#provision(host, ["join", "-"], { token })));
    }
    await mesh.untilWhole();
    return mesh;
  }

  /** The founder's own key on every host: one person, who types commands on whichever is near. */
  async shareKey(): Promise<void> {
    const [first, ...others] = this.bed.hosts as [Host, ...Host[]];
    const key = await first.exec(["cat", keyFile]);
    const write = `umask 077; mkdir -p $(dirname ${keyFile}); cat >${keyFile}`;
    for (const host of others) await host.exec(["sh", "-c", write], { input: key });
  }

  /** Its output; an error with what it said when it fails. */
  async shoal(host: Host, args: readonly string[], input?: string): Promise<string> {
    const options = input === undefined ? {} : { input };
    return await host.exec(["shoal", ...args], { ...options, timeoutMs: provisionMs });
  }

  /** As its agent sees the mesh: asked at its socket from outside, which takes a few ms. */
  async view(host: Host): Promise<MeshView> {
    const unix = `/proc/${host.pid}/root/var/lib/shoal/shoal.sock`;
    const client = await openClient({ unix }, undefined);
    try {
      return await client.view();
    } finally {
      await client.close();
    }
  }

  /** Every host that is up sees all of them alive, and all hold equal state. */
  async untilWhole(deadlineMs = 60_000): Promise<void> {
    const up = this.bed.hosts.filter(({ pid }) => pid !== undefined);
    await until(
      async () => {
        const views = await Promise.all(up.map((host) => this.view(host)));
        const alive = views.map(({ nodes }) => nodes.filter((one) => one.status === "alive"));
        const digests = new Set(views.map(({ digest }) => digest));
        return digests.size === 1 && alive.every((nodes) => nodes.length === up.length);
      },
      deadlineMs,
      "a whole mesh",
    );
  }

  /** Pids of the agent's own process, as the outside counts; empty when it is dead. */
  agentPids(host: Host): number[] {
    return host.group.processes().filter((pid) => {
      const path = `/proc/${pid}/cmdline`;
      if (!existsSync(path)) return false;
      const words = readFileSync(path, "utf8").split("\0");
      return words.some(isAgent);
    });
  }

  /** Its containers run on. */
  async killAgent(host: Host): Promise<void> {
    for (const pid of this.agentPids(host)) process.kill(pid, "SIGKILL");
    await until(() => this.agentPids(host).length === 0, 10_000, `the end of ${host.name}'s agent`);
  }

  /** Between two instructions, as a debugger or a starved machine does; its containers run on. */
  setAgentFrozen(host: Host, frozen: boolean): void {
    for (const pid of this.agentPids(host)) process.kill(pid, frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** `env` is for the agent alone. */
  async startAgent(host: Host, env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#provision(host, ["start"], { env });
  }

  async #provision(
    host: Host,
    words: readonly string[],
    { token, args, env: more = {} }: Provision = {},
  ): Promise<void> {
    const settings = args === undefined || args === "" ? more : { ...more, SHOAL_ARGS: args };
    const env = ["env", ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];
    const options = { timeoutMs: provisionMs, ...(token === undefined ? {} : { input: token }) };
    await host.exec([...env, "sh", script, ...words], options);
  }
}
