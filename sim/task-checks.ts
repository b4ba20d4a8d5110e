/**
 * What an agent owes its tasks: time to drain, their turn in a rollout, and no hurry to try again
 * what just failed. Looked at when an engine is told to start one, and after each step.
 */

import type { TaskFacts } from "../model/documents.ts";
import type { TaskId } from "../model/ids.ts";
import { simulated } from "../node/config.ts";
import { isLive as isUp } from "../node/rollout.ts";
import type { StartOrder } from "../ports.ts";
import type { SimHost } from "./host.ts";
import { isLive, type Ledger, type TaskRecord } from "./ledger.ts";
import type { World } from "./world.ts";

/** What ended within this time may still be what a node has, as far as its agent knows, ms. */
const shortlyMs = 20_000;

export class TaskChecks {
  readonly #ledger: Ledger;
  readonly #world: World;
  readonly #drainingSince = new Map<TaskId, number>();
  /** Tasks that were started sooner after a failure than they may be. */
  readonly #hurried = new Set<TaskId>();

  constructor(ledger: Ledger, world: World) {
    this.#ledger = ledger;
    this.#world = world;
  }

  /** What is wrong with starting this now. */
  faultOfStart(order: StartOrder, host: SimHost): string | undefined {
    if (this.#isRepeated(order, host)) return undefined;
    const own = this.#ledger.of(order.replica).filter((task) => task.host === host);
    if (this.#isOutOfTurn(own, order, host)) {
      return `starts ${order.task} before it is its replica's turn`;
    }
    return this.#hurryOf(own, order, host) ?? this.#unwelcome(own, order, host);
  }

  /** An order that its engine did not hear the first time was right when it was given. */
  #isRepeated({ task }: StartOrder, host: SimHost): boolean {
    const facts = host
      .agent()
      ?.ownTasks()
      .find((own) => own.task === task);
    const wallMs = this.#world.wallMs() + host.clockOffsetMs;
    return facts !== undefined && facts.createdAtMs !== wallMs;
  }

  /** It ended long ago, and its node has heard of that only now: its engine was silent. */
  #lostIt({ task, replica }: StartOrder, host: SimHost): boolean {
    const sinceMs = this.#world.wallMs() + host.clockOffsetMs - shortlyMs;
    const rows = host.agent()?.ownTasks() ?? [];
    return rows.some((own) => {
      return own.replica === replica && own.task !== task && own.changedAtMs >= sinceMs;
    });
  }

  /** A paused node keeps and replaces what it has, a drained one nothing. */
  #unwelcome(own: readonly TaskRecord[], order: StartOrder, host: SimHost): string | undefined {
    const running = host.running();
    const { members } = running?.agent.desired(running.moment()) ?? { members: [] };
    const policy = members.find(({ node }) => node === host.node)?.policy.availability;
    if (policy === undefined || policy === "active") return undefined;
    const sinceMs = this.#world.nowMs() - shortlyMs;
    const hadIt =
      own.some((task) => isLive(task) || task.servedAtMs >= sinceMs) || this.#lostIt(order, host);
    return policy === "pause" && hadIt ? undefined : `starts ${order.task} and is set to ${policy}`;
  }

  /** What is wrong with where this task is now. */
  faultOfStep({ task, state }: TaskFacts): string | undefined {
    const sinceMs = this.#drainingSince.get(task);
    if (state === "draining") {
      if (sinceMs === undefined) this.#drainingSince.set(task, this.#world.nowMs());
      return undefined;
    }
    if (sinceMs === undefined) return undefined;
    this.#drainingSince.delete(task);
    const drainedMs = this.#world.nowMs() - sinceMs;
    if (state !== "stopping" || drainedMs >= simulated.drainMs) return undefined;
    return `stops ${task}, which drained for ${Math.round(drainedMs)} ms only`;
  }

  /**
   * It takes an older task's place while as many others go first as may. What this host itself runs
   * of those is left out: its agent decided before it wrote down what became of them.
   */
  #isOutOfTurn(own: readonly TaskRecord[], order: StartOrder, host: SimHost): boolean {
    const isReplacing = own.some(
      (task) => isLive(task) && !task.leaving && task.revision !== order.revision,
    );
    const running = host.running();
    if (!isReplacing || running === undefined) return false;
    const { services } = running.agent.desired(running.moment());
    const service = services.find((known) => known.service === order.spec.service);
    if (service?.rollout.revision !== order.revision) return false;
    const { slots, tasks, spec } = service;
    const onTheirWay = slots.slice(0, slots.indexOf(order.replica)).filter((replica) => {
      const its = tasks.filter((task) => task.replica === replica && task.alive && isUp(task));
      const isElsewhere = its.length > 0 && its.every(({ node }) => node !== host.node);
      return isElsewhere && !its.some((task) => task.ready && task.revision === order.revision);
    });
    return spec.update.parallelism > 0 && onTheirWay.length >= spec.update.parallelism;
  }

  /** Once may be another story (a service removed and deployed again), twice in a row is not. */
  #hurryOf(own: readonly TaskRecord[], order: StartOrder, host: SimHost): string | undefined {
    const last = own.filter((task) => task.revision === order.revision).at(-1);
    if (last?.failedAtMs === undefined || host.upSinceMs() > last.failedAtMs) return undefined;
    const waitedMs = this.#world.nowMs() - last.failedAtMs;
    if (waitedMs >= simulated.retryMinMs) return undefined;
    this.#hurried.add(order.task);
    if (!this.#hurried.has(last.task)) return undefined;
    return `starts ${order.task} ${Math.round(waitedMs)} ms after the last one failed`;
  }
}
