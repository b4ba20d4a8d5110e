/**
 * People at the command line of a mesh of agents: each with a key and contexts of their own, and
 * what the command said to them, whether it worked or not.
 */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { DemoMesh, DemoNode } from "../../cli/demo-mesh.ts";
import type { Problem } from "../../model/problem.ts";

const command = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
/** A command that takes longer is stuck. */
const commandMsMax = 60_000;

export type Said = {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
};

export type Saying = {
  /** The peer that is asked, over the network; whoever the context names otherwise. */
  readonly via?: DemoNode;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
};

export class Person {
  readonly #agents: DemoMesh;
  readonly #name: string;

  /** "person" is the one who founded the mesh. */
  constructor(agents: DemoMesh, name: string) {
    this.#agents = agents;
    this.#name = name;
  }

  async try(args: readonly string[], { via, input, env }: Saying = {}): Promise<Said> {
    const peer = via === undefined ? [] : this.#agents.peer(via);
    const verbs = isGroup(args[0]) ? 2 : 1;
    const words = [...args.slice(0, verbs), ...peer, ...args.slice(verbs)];
    const config = join(this.#agents.directory, this.#name);
    const flags = ["--disable-warning=ExperimentalWarning"];
    const child = spawn(process.execPath, [...flags, command, ...words], {
      cwd: this.#agents.directory,
      env: { ...process.env, ...env, SHOAL_CONFIG: config, USER: this.#name },
      timeout: commandMsMax,
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, out, err };
  }

  /** What it printed; an error with all that it said when it failed. */
  async shoal(args: readonly string[], saying: Saying = {}): Promise<string> {
    const { code, out, err } = await this.try(args, saying);
    if (code === 0) return out;
    throw new Error(`shoal ${args.join(" ")}: exit code ${code}\n${err}${out}`);
  }

  /** The problems of a command that fails, as a program reads them, and its exit code. */
  async problems(
    args: readonly string[],
    saying: Saying = {},
  ): Promise<{ readonly code: number | null; readonly problems: readonly Problem[] }> {
    const { code, out, err } = await this.try([...args, "--format", "json"], saying);
    if (out === "") throw new Error(`exit code ${code} and no JSON\n${err}`);
    return { code, problems: (JSON.parse(out) as { problems: readonly Problem[] }).problems };
  }
}

function isGroup(verb: string | undefined): boolean {
  return ["service", "stack", "node", "person", "context"].includes(verb ?? "");
}
