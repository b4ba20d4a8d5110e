/**
 * The simulated engine: tasks that take time to prepare, start and stop, that outlive their
 * agent, and that crash or cannot be started when the seed says so.
 */

import type { EngineKind } from "../model/documents.ts";
import type { NodeId, TaskId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { Engine, EngineReport, ObservedTask, StartOrder } from "../ports.ts";
import type { SeededRandom } from "./random.ts";
import type { World } from "./world.ts";

type Running = { task: ObservedTask; order: StartOrder };

/** What really happens to tasks, told to whoever checks it. */
export type EngineWatch = {
  started(order: StartOrder): void;
  changed(task: ObservedTask): void;
  /** The host lost power, or somebody removed it. */
  vanished(task: TaskId): void;
};

export class SimEngine implements Engine {
  readonly kind: EngineKind = "process";
  readonly #world: World;
  readonly #random: SeededRandom;
  /** The host's own; survives the agent, not the host. */
  readonly #tasks = new Map<TaskId, Running>();
  #listener: ((report: EngineReport) => void) | undefined;
  #node: NodeId | undefined;
  #down = false;
  readonly #watch: EngineWatch;

  constructor(world: World, random: SeededRandom, watch: EngineWatch) {
    this.#world = world;
    this.#random = random;
    this.#watch = watch;
  }

  open(identity: { readonly node: NodeId }): void {
    this.#node = identity.node;
    this.#report();
  }

  close(): void {
    this.#listener = undefined;
  }

  onReport(listener: (report: EngineReport) => void): void {
    this.#listener = listener;
  }

  start(order: StartOrder): void {
    if (this.#down || this.#tasks.has(order.task)) return;
    this.#watch.started(order);
    const { task, replica, revision, spec } = order;
    this.#set(order, {
      task,
      replica,
      service: spec.service,
      revision,
      state: "preparing",
      health: "none",
      ready: false,
      createdAtMs: this.#world.wallMs(),
    });
    this.#later(order, 20, 200, () => this.#run(order));
  }

  #run(order: StartOrder): void {
    if (isImpossible(order, this.#node)) {
      const node = this.#node ?? "";
      const problem: Problem = { code: "command-not-found", command: "impossible", node };
      this.#change(order.task, { state: "refused", problem });
      return;
    }
    this.#change(order.task, { state: "starting" });
    this.#later(order, 50, 400, () => {
      if (isBroken(order)) {
        this.#change(order.task, { state: "exited", exitCode: 1, ready: false });
        return;
      }
      this.#change(order.task, {
        state: "running",
        ready: true,
        endpoint: { address: "127.0.0.1", ports: { "80/tcp": 40_000 } },
      });
    });
  }

  stop(order: { readonly task: TaskId }): void {
    const running = this.#tasks.get(order.task);
    if (this.#down || running === undefined || running.task.state === "exited") return;
    this.#change(order.task, { state: "stopping", ready: false });
    this.#later(running.order, 20, 300, () => {
      this.#change(order.task, { state: "exited", exitCode: 0, ready: false });
    });
  }

  remove(task: TaskId): void {
    const state = this.#tasks.get(task)?.task.state;
    if (state !== "exited" && state !== "refused") return;
    this.#tasks.delete(task);
    this.#watch.vanished(task);
    this.#report();
  }

  /** A task dies on its own. */
  crashOne(): TaskId | undefined {
    const running = [...this.#tasks.values()].filter(({ task }) => task.state === "running");
    if (running.length === 0) return undefined;
    const { task } = this.#random.pick(running);
    this.#change(task.task, { state: "exited", exitCode: 137, ready: false });
    return task.task;
  }

  /** The host lost power: nothing runs, nothing is remembered. */
  loseAll(): void {
    for (const task of this.#tasks.keys()) this.#watch.vanished(task);
    this.#tasks.clear();
  }

  setDown(down: boolean): void {
    this.#down = down;
    const detail = "the simulated engine is stopped";
    const node = this.#node ?? "";
    const problem: Problem = { code: "engine-unavailable", engine: this.kind, node, detail };
    if (down) this.#listener?.({ kind: "unavailable", engine: this.kind, problem });
    else this.#report();
  }

  tasks(): readonly ObservedTask[] {
    return [...this.#tasks.values()].map(({ task }) => task);
  }

  #later(order: StartOrder, leastMs: number, mostMs: number, run: () => void): void {
    this.#world.after(this.#random.between(leastMs, mostMs), () => {
      const running = this.#tasks.get(order.task);
      if (running?.order === order && running.task.state !== "exited") run();
    });
  }

  #set(order: StartOrder, task: ObservedTask): void {
    this.#tasks.set(order.task, { task, order });
    this.#watch.changed(task);
    this.#report();
  }

  #change(id: TaskId, change: Partial<ObservedTask>): void {
    const running = this.#tasks.get(id);
    if (running === undefined) return;
    running.task = { ...running.task, ...change };
    this.#watch.changed(running.task);
    this.#report();
  }

  #report(): void {
    if (this.#down) return;
    this.#listener?.({ kind: "observed", engine: this.kind, tasks: this.tasks() });
  }
}

/** A revision that never comes up: what a bad deploy looks like. */
function isBroken(order: StartOrder): boolean {
  return order.spec.workload.env.BROKEN === "yes";
}

/** A command that this one host does not have. */
function isImpossible(order: StartOrder, node: NodeId | undefined): boolean {
  return order.spec.workload.env.IMPOSSIBLE_ON === node;
}
