/** Load on the bed's hosts while something happens to them, and what came of every request. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../until.ts";
import type { Bed } from "./bed.ts";

export type Answer = {
  /** Unix ms at which it was sent. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly url: string;
  readonly text?: string;
  readonly error?: string;
  /** Whether a connection stood when it failed. */
  readonly open?: boolean;
};

export class Load {
  readonly answers: Answer[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => this.answers.push(JSON.parse(line)));
    this.#ended = new Promise((resolve) => lines.once("close", resolve));
  }

  /** Every `intervalMs` a request, to these addresses in turn; resolves with the first answer. */
  static async start(bed: Bed, urls: readonly string[], intervalMs = 10): Promise<Load> {
    const script = join(import.meta.dirname, "load-client.ts");
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", script];
    const [program, ...args] = bed.clientCommand([...node, String(intervalMs), ...urls]);
    const child = spawn(program as string, args, { stdio: ["pipe", "pipe", "inherit"] });
    const load = new Load(child);
    await until(() => load.answers.length > 0, 20_000, "the load's first answer");
    return load;
  }

  get failures(): Answer[] {
    return this.answers.filter(({ error }) => error !== undefined);
  }

  /** Ends it, with all answers in. */
  async stop(): Promise<readonly Answer[]> {
    this.#child.stdin?.end();
    await this.#ended;
    return this.answers;
  }
}
