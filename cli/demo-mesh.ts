/**
 * Three agents on this machine, each on a loopback address of its own, made with the very commands
 * that a person would type. A door.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openClient } from "../api/client.ts";
import type { MeshView } from "../model/view.ts";
import { openLocalAgent } from "./agent-process.ts";

export type DemoNode = {
  readonly name: string;
  /** 127.0.0.1 and so on: on one machine each agent needs its own for published ports. */
  readonly address: string;
  readonly data: string;
  readonly socket: string;
};

const command = fileURLToPath(new URL("./main.ts", import.meta.url));
const linkPort = 7946;
const dnsPort = 7953;
/** A command that takes longer is stuck. */
const commandMsMax = 120_000;
/** What is asked to end gets this long before it is ended, ms. */
const endMsMax = 15_000;

export class DemoMesh {
  readonly directory = mkdtempSync(join(tmpdir(), "shoal-demo-"));
  readonly nodes: readonly DemoNode[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #local = openLocalAgent();

  /**
   * `env` goes to every command: what the Compose file's variables say. `network` is three bytes of
   * loopback, so that several meshes can be on one machine.
   */
  constructor(count: number, env: Readonly<Record<string, string>>, network = "127.0.0") {
    this.nodes = Array.from({ length: count }, (_, index): DemoNode => {
      const name = `node${index + 1}`;
      const data = join(this.directory, name);
      return { name, address: `${network}.${index + 1}`, data, socket: join(data, "shoal.sock") };
    });
    this.#env = { ...process.env, ...env, SHOAL_CONFIG: join(this.directory, "person") };
  }

  /** The commands that begin an agent; the token comes on standard input. */
  async start(node: DemoNode, token?: string): Promise<void> {
    const verb = token === undefined ? ["up", "--name", "demo"] : ["join", "-"];
    await this.shoal([...verb, "--detach", ...this.words(node)], token);
  }

  /** The words that make an agent this one. */
  words({ name, address, data }: DemoNode): string[] {
    const listen = ["--listen", `/ip4/${address}/tcp/${linkPort}`];
    const dns = ["--dns", `${address}:${dnsPort}`];
    return [...listen, ...dns, "--data", data, "--node-name", name, "--engine", "process"];
  }

  dnsOf({ address }: DemoNode): string {
    return `@${address} -p ${dnsPort}`;
  }

  /** Runs `shoal …` and gives its standard output; its errors are shown as they are. */
  shoal(args: readonly string[], input?: string): Promise<string> {
    const flags = ["--disable-warning=ExperimentalWarning"];
    const child = spawn(process.execPath, [...flags, command, ...args], {
      env: this.#env,
      stdio: ["pipe", "pipe", "inherit"],
      timeout: commandMsMax,
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        if (code === 0) resolve(Buffer.concat(output).toString("utf8"));
        else reject(new Error(`shoal ${args.join(" ")} ended with exit code ${code}`));
      });
    });
  }

  /** As the node itself sees the mesh, asked at its own socket. */
  async view({ socket }: DemoNode): Promise<MeshView> {
    const client = await openClient({ unix: socket }, undefined);
    try {
      return await client.view();
    } finally {
      await client.close();
    }
  }

  /** The words that make a command talk to this node, over the network. */
  peer(node: DemoNode): string[] {
    return ["--peer", `/ip4/${node.address}/tcp/${linkPort}/p2p/${this.#identity(node).node}`];
  }

  /** The power cut: the agent and everything that it runs, without a word to anybody. */
  kill(node: DemoNode): void {
    for (const pid of this.pidsOf(node)) end(pid, "SIGKILL");
  }

  /** One of its tasks dies; the agent notices. */
  crashOne(node: DemoNode): void {
    const agents = this.agentPids(node);
    const task = this.pidsOf(node).find((pid) => !agents.includes(pid));
    if (task !== undefined) end(task, "SIGKILL");
  }

  /** Everything that this mesh ever started is gone afterwards, and its files with it. */
  async close(): Promise<void> {
    for (const node of this.nodes) for (const pid of this.agentPids(node)) end(pid, "SIGTERM");
    const all = (): number[] => this.nodes.flatMap((node) => this.pidsOf(node));
    const deadline = performance.now() + endMsMax;
    while (this.nodes.some((node) => this.agentPids(node).length > 0)) {
      if (performance.now() > deadline) break;
      await sleep(50);
    }
    while (all().length > 0 && performance.now() < deadline + endMsMax) {
      for (const pid of all()) end(pid, "SIGKILL");
      await sleep(50);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** None when its agent is dead. */
  agentPids({ data }: DemoNode): number[] {
    return pids().filter((pid) => {
      const words = readProc(pid, "cmdline");
      return words.includes(data) && words.some(isAgent);
    });
  }

  /** Agent and tasks: an agent by its command line, a task by its environment. */
  pidsOf(node: DemoNode): number[] {
    // A node that left has no file any more, and may have left a task behind.
    const meshes = [node, ...this.nodes].map((one) => this.#identity(one).mesh);
    const mesh = meshes.find((one) => one !== "") ?? "";
    const marks = [`SHOAL_MESH=${mesh}`, `SHOAL_NODE=${node.name}`];
    const tasks = pids().filter((pid) => {
      const words = readProc(pid, "environ");
      return marks.every((mark) => words.includes(mark));
    });
    return [...this.agentPids(node), ...tasks];
  }

  /** What the agent wrote for the people of its machine; empty before it did. */
  #identity({ data }: DemoNode): { readonly mesh: string; readonly node: string } {
    return this.#local.read(data) ?? { mesh: "", node: "" };
  }
}

/** The agent's file, whichever way it runs: see bin/with-node. */
export function isAgent(word: string): boolean {
  return word.endsWith("/node/main.ts") || word.endsWith("/dist/agent.js");
}

/** The first port from there on that nobody has on any of these addresses. */
export async function findPort(from: number, addresses: readonly string[]): Promise<number> {
  for (let port = from; port < from + 100; port++) {
    const free = await Promise.all(addresses.map((address) => isFree(port, address)));
    if (free.every(Boolean)) return port;
  }
  throw new Error(`no port from ${from} to ${from + 99} is free`);
}

function isFree(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

function pids(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

/** NUL-separated words; none for a process that is gone or not ours. */
function readProc(pid: number, file: "cmdline" | "environ"): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in between.
  }
}
