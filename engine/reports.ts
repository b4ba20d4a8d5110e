/**
 * What an engine tells the agent, and when: the whole truth each time something in it changed,
 * and nothing while it would only repeat itself. Pure.
 */

import type { EngineKind } from "../model/documents.ts";
import { compareIds } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { EngineReport } from "../ports.ts";
import { observe, type TaskEntry } from "./task-entry.ts";

export class Reports {
  readonly #engine: EngineKind;
  readonly #listeners: ((report: EngineReport) => void)[] = [];
  #last = "";

  constructor(engine: EngineKind) {
    this.#engine = engine;
  }

  onReport(listener: (report: EngineReport) => void): void {
    this.#listeners.push(listener);
  }

  observed(entries: Iterable<TaskEntry>): void {
    const tasks = [...entries]
      .filter(({ removed }) => !removed)
      .map(observe)
      .sort((left, right) => compareIds(left.task, right.task));
    this.#send({ kind: "observed", engine: this.#engine, tasks });
  }

  unavailable(problem: Problem): void {
    this.#send({ kind: "unavailable", engine: this.#engine, problem });
  }

  #send(report: EngineReport): void {
    const text = JSON.stringify(report);
    if (text === this.#last) return;
    this.#last = text;
    for (const listener of this.#listeners) listener(report);
  }
}
