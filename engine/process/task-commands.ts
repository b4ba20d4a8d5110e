/**
 * Commands in the surroundings of one task: its own, those of its checks, those that people run
 * beside it. A door: it looks for programs.
 */

import type { ProcessWorkload } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";
import type { Environment } from "../environment.ts";
import { findProgram } from "./command-path.ts";
import { type PortMap, processEnvironment } from "./process-environment.ts";
import type { Command } from "./process-exec.ts";

type Extra = { readonly env: Environment; readonly workingDir?: string };

export class TaskCommands {
  readonly #order: StartOrder;
  readonly #workload: ProcessWorkload;
  /** The task's working directory and home. */
  readonly #directory: string;

  constructor(order: StartOrder, workload: ProcessWorkload, directory: string) {
    this.#order = order;
    this.#workload = workload;
    this.#directory = directory;
  }

  /** Of the task's own command, as the spec has it. */
  get name(): string {
    return this.#workload.command[0] ?? "";
  }

  /** The task's own. Undefined when there is no such program. */
  own(ports: PortMap): Command | undefined {
    return this.find(this.#workload.command, ports);
  }

  /** Undefined when there is no such program. */
  find(
    argv: readonly string[],
    ports: PortMap,
    { env, workingDir }: Extra = { env: {} },
  ): Command | undefined {
    const surroundings = {
      outer: process.env,
      nodePath: process.execPath,
      home: this.#directory,
    };
    const own = processEnvironment(this.#order, this.#workload, ports, surroundings);
    const environment = { ...own, ...env };
    const directory = workingDir ?? this.#directory;
    const program = findProgram(argv[0] ?? "", environment, directory);
    if (program === undefined) return undefined;
    return { program, args: argv.slice(1), environment, directory };
  }
}
