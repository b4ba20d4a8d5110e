/** Keeps what an engine reports, and waits for what a test wants to see in it. */

import assert from "node:assert/strict";
import type { TaskId } from "../../model/ids.ts";
import type { Engine, EngineReport, ObservedTask } from "../../ports.ts";
import { until } from "../until.ts";

/** Generous: a shared machine may be busy. Nothing waits this long when all is well. */
export const patienceMs = 20_000;

export class Watcher {
  readonly reports: EngineReport[] = [];

  constructor(engine: Engine) {
    engine.onReport((report) => this.reports.push(report));
  }

  get last(): EngineReport | undefined {
    return this.reports.at(-1);
  }

  get tasks(): readonly ObservedTask[] {
    return this.last?.kind === "observed" ? this.last.tasks : [];
  }

  task(task: TaskId): ObservedTask | undefined {
    return this.tasks.find((observed) => observed.task === task);
  }

  /** The states that a task was reported in, each once, in their order. */
  statesOf(task: TaskId): string[] {
    const states: string[] = [];
    for (const report of this.reports) {
      if (report.kind !== "observed") continue;
      const state = report.tasks.find((observed) => observed.task === task)?.state;
      if (state !== undefined && states.at(-1) !== state) states.push(state);
    }
    return states;
  }

  async untilReport(kind: EngineReport["kind"]): Promise<EngineReport> {
    await until(() => this.last?.kind === kind, patienceMs, `a report "${kind}"`);
    return this.last as EngineReport;
  }

  async untilTask(
    task: TaskId,
    condition: (observed: ObservedTask) => boolean,
    what: string,
  ): Promise<ObservedTask> {
    const holds = (): ObservedTask | undefined => {
      const observed = this.task(task);
      return observed !== undefined && condition(observed) ? observed : undefined;
    };
    try {
      return await until(holds, patienceMs, what);
    } catch (error) {
      assert.fail(`${error}; last seen: ${JSON.stringify(this.last)}`);
    }
  }

  untilReady(task: TaskId): Promise<ObservedTask> {
    return this.untilTask(task, ({ ready }) => ready, `${task} being ready`);
  }

  untilOver(task: TaskId): Promise<ObservedTask> {
    const isOver = ({ state }: ObservedTask) => state === "exited" || state === "refused";
    return this.untilTask(task, isOver, `${task}'s end`);
  }

  async untilGone(task: TaskId): Promise<void> {
    const isGone = () => this.last?.kind === "observed" && this.task(task) === undefined;
    await until(isGone, patienceMs, `${task} being forgotten`);
  }
}
