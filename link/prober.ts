/**
 * Probing over UDP, as a port: a worker thread does it (link/probe-worker.ts), so that this node
 * answers and measures while its main loop is busy. A door. Begin with link/probe-watch.ts for
 * what a verdict takes.
 */

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { NodeId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import type { Probes, ProbeTarget, ProbeVerdict } from "../ports.ts";
import type { Identity } from "../trust/identity.ts";
import { ProbeBoard, type ProbeStats } from "./probe-board.ts";
import type { ProbeNews, ProbeOrder, ProbeWorkerData } from "./probe-messages.ts";
import { type ProbeTimes, probeTimes } from "./probe-watch.ts";

export type ProberOptions = {
  /** The mesh's, 32 bytes. */
  readonly secret: Uint8Array;
  readonly identity: Pick<Identity, "id" | "seed">;
  /** "::" takes both families, and falls back to "0.0.0.0". Port 0 takes any. */
  readonly bind: { readonly address: string; readonly port: number };
  readonly times?: ProbeTimes;
  readonly log?: { warn(event: string, fields?: Readonly<Record<string, unknown>>): void };
};

export type Prober = Probes & {
  readonly port: number;
  stats(): ProbeStats;
  close(): Promise<void>;
};

/** Between the death of a worker and the next. */
const restartMs = 1_000;
/** A few hundred members' state is far below it; a leak ends the worker, not the agent. */
const limits = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };

/** As a source beside this one, or beside the one file that bin/build.ts makes. */
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const entry = new URL(`./probe-worker.${extension}`, import.meta.url);

/** Rejects with an OperationError when the port cannot be had. */
export async function openProbes(options: ProberOptions): Promise<Prober> {
  const board = new ProbeBoard();
  board.beat(process.hrtime.bigint());
  const { secret, identity, times = probeTimes } = options;
  const data = { secret, seed: identity.seed, times, board: board.buffer };
  const prober = new LiveProber(board, data, options);
  await prober.start(options.bind);
  return prober;
}

class LiveProber implements Prober {
  port = 0;
  readonly #board: ProbeBoard;
  readonly #data: Omit<ProbeWorkerData, "bind">;
  readonly #self: NodeId;
  readonly #log: ProberOptions["log"];
  #worker: Worker | undefined;
  #targets: readonly ProbeTarget[] = [];
  #listener: (verdict: ProbeVerdict) => void = () => {};
  #restarts = 0;
  #closed = false;

  constructor(
    board: ProbeBoard,
    data: Omit<ProbeWorkerData, "bind">,
    { identity, log }: ProberOptions,
  ) {
    this.#board = board;
    this.#data = data;
    this.#self = identity.id as NodeId;
    this.#log = log;
  }

  async start(bind: ProbeWorkerData["bind"]): Promise<void> {
    const workerData: ProbeWorkerData = { ...this.#data, bind };
    const worker = new Worker(entry, {
      workerData,
      resourceLimits: limits,
      name: "prober",
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.#worker = worker;
    const [news] = (await once(worker, "message")) as [ProbeNews];
    if (news.kind !== "listening") {
      await worker.terminate();
      throw new OperationError(problemOf(this.#self, bind, news));
    }
    this.port = news.port;
    worker.on("message", (later: ProbeNews) => this.#read(later));
    worker.on("error", (error) => this.#log?.warn("prober-failed", { detail: error.message }));
    worker.once("exit", () => void this.#restart(bind.address));
    this.#send({ kind: "observe", targets: this.#targets });
  }

  observe(targets: readonly ProbeTarget[]): void {
    this.#targets = targets;
    this.#send({ kind: "observe", targets });
  }

  hasten(node: NodeId): void {
    this.#send({ kind: "hasten", node });
  }

  beat(): void {
    this.#board.beat(process.hrtime.bigint());
  }

  onVerdict(listener: (verdict: ProbeVerdict) => void): void {
    this.#listener = listener;
  }

  stats(): ProbeStats {
    return this.#board.stats(this.#restarts);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #read(news: ProbeNews): void {
    if (news.kind !== "verdicts" || this.#closed) return;
    // Before the listener: should that throw, later verdicts must still come.
    this.#send({ kind: "taken" });
    const observed = new Set(this.#targets.map(({ node }) => node));
    for (const verdict of news.verdicts) {
      if (observed.has(verdict.node)) this.#listener(verdict);
    }
  }

  /** A worker does not end by itself: memory ran out, or it has a bug. The same port, for ever. */
  async #restart(address: string): Promise<void> {
    while (!this.#closed) {
      this.#restarts++;
      await sleep(restartMs);
      if (this.#closed) return;
      try {
        return await this.start({ address, port: this.port });
      } catch (error) {
        this.#log?.warn("prober-not-restarted", { detail: String(error) });
      }
    }
  }

  #send(order: ProbeOrder): void {
    this.#worker?.postMessage(order);
  }
}

function problemOf(
  self: NodeId,
  bind: ProbeWorkerData["bind"],
  news: Exclude<ProbeNews, { kind: "listening" }>,
): Problem {
  const { code, detail } = news.kind === "failed" ? news : { code: "", detail: news.kind };
  if (code === "EADDRINUSE") {
    return { code: "port-in-use", port: bind.port, protocol: "udp", node: self, detail };
  }
  return { code: "argument-invalid", argument: `${bind.address} port ${bind.port}/udp`, detail };
}
