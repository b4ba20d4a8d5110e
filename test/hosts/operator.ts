/**
 * A person on a machine that is on the network and in no mesh: the command `shoal` with a key of
 * its own, invited as an operator, pointed at one peer or another.
 */

import { join } from "node:path";
import { root } from "../tidy/source-tree.ts";
import type { Bed } from "./bed.ts";
import type { Host } from "./host.ts";
import type { BedMesh } from "./mesh.ts";
import { attempt, type Output } from "./shell.ts";

const commandMsMax = 120_000;

export class Operator {
  readonly #bed: Bed;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(bed: Bed) {
    this.#bed = bed;
    const config = join(bed.directory, "operator");
    this.#env = { ...process.env, SHOAL_CONFIG: config, NO_COLOR: "1" };
  }

  static async invite(mesh: BedMesh, role = "operator"): Promise<Operator> {
    const operator = new Operator(mesh.bed);
    const [first] = mesh.bed.hosts as [Host];
    const token = await mesh.shoal(first, ["invite", "--role", role]);
    await operator.shoal(["context", "add", "bed", "-"], { input: token });
    return operator;
  }

  /** Its standard output; an error with what it said when it fails. */
  async shoal(
    args: readonly string[],
    { via, input }: { readonly via?: Host; readonly input?: string } = {},
  ): Promise<string> {
    const done = await this.attempt(args, { ...(via ? { via } : {}), ...(input ? { input } : {}) });
    if (done.code === 0) return done.stdout;
    throw new Error(`shoal ${args.join(" ")}: exit ${done.code}\n${done.stderr}${done.stdout}`);
  }

  /** `via` is the peer that is asked: at its present address. */
  async attempt(
    args: readonly string[],
    { via, input }: { readonly via?: Host; readonly input?: string } = {},
  ): Promise<Output> {
    const peer = via === undefined ? [] : ["--peer", await peerAddress(via)];
    const [verb = "", ...rest] = args;
    // Behind the verb and its own verb: `service scale --peer …`.
    const words = isGroup(verb)
      ? [verb, rest[0] ?? "", ...peer, ...rest.slice(1)]
      : [verb, ...peer, ...rest];
    const command = this.#bed.clientCommand([join(root, "bin/shoal"), ...words]);
    const options = { env: this.#env, timeoutMs: commandMsMax };
    return await attempt(command, input === undefined ? options : { ...options, input });
  }
}

function isGroup(verb: string): boolean {
  return ["service", "stack", "node", "context"].includes(verb);
}

async function peerAddress(host: Host): Promise<string> {
  const file = JSON.parse(await host.exec(["cat", "/var/lib/shoal/mesh.json"]));
  return `/ip4/${host.address}/tcp/7946/p2p/${file.node}`;
}
