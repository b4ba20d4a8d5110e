/**
 * This node's own tasks: what was ordered, what the engines report, and the rows that tell the
 * mesh. An agent that restarts finds its tasks again from its own rows and from the engines'
 * first reports; until an engine has reported, nothing of it is started or stopped.
 *
 * Begin reading at `observe`. Times are monotonic ms unless a name says wall.
 */

import type { EngineKind, TaskFacts } from "../model/documents.ts";
import type { TaskId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import { explain, type Problem } from "../model/problem.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { EngineReport, ObservedTask } from "../ports.ts";
import type { Config } from "./config.ts";
import { type FailureKey, Failures } from "./failures.ts";
import { isLive } from "./rollout.ts";

export type LocalTask = {
  facts: TaskFacts;
  /** Since when it takes traffic; undefined while it does not. */
  readySinceMs: number | undefined;
  drainingSinceMs: number | undefined;
  /** The stop order went out; it is repeated while the engine still reports the task. */
  stopping: boolean;
  /** Stopped because it did not do its work: its end counts as a failure. */
  givenUp: boolean;
  endedAtMs: number | undefined;
  stopOrdered: boolean;
  /** When the last order for it went out; orders are repeated until the engine shows it. */
  orderedAtMs: number;
  /** Reported by its engine at least once; vanishing before that is only slowness. */
  seen: boolean;
  /** Not seen running by this agent: when and why it ended, if it did, nobody knows. */
  unwatched: boolean;
  problem: Problem | undefined;
};

/** The moment before anything happened, for engines that never answered. */
const never = Number.NEGATIVE_INFINITY;

export class LocalTasks {
  readonly #config: Config;
  readonly #tasks = new Map<TaskId, LocalTask>();
  readonly #reported = new Set<EngineKind>();
  readonly #unavailableSince = new Map<EngineKind, number>();
  readonly #problems = new Map<EngineKind, Problem>();
  readonly failures: Failures;
  #openedMs = never;

  constructor(config: Config) {
    this.#config = config;
    this.failures = new Failures(config);
  }

  /** Own rows as they were on disk: the order in which things ended is lost, nothing else. */
  restore(rows: readonly TaskFacts[], nowMs: number): void {
    this.#openedMs = nowMs;
    for (const facts of rows) {
      const ended = !isLive(facts);
      this.#tasks.set(facts.task, {
        facts: ended ? facts : { ...facts, ready: false },
        readySinceMs: undefined,
        drainingSinceMs: facts.state === "draining" ? nowMs : undefined,
        stopping: facts.state === "stopping",
        givenUp: false,
        endedAtMs: ended ? nowMs : undefined,
        stopOrdered: false,
        orderedAtMs: never,
        seen: true,
        unwatched: true,
        problem: undefined,
      });
      this.failures.restore(facts, facts.failures + (facts.state === "failed" ? 1 : 0), nowMs);
    }
  }

  all(): readonly LocalTask[] {
    return [...this.#tasks.values()];
  }

  get(task: TaskId): LocalTask | undefined {
    return this.#tasks.get(task);
  }

  /** An engine may be given orders once it has said what runs already. */
  isOpen(engine: EngineKind): boolean {
    return this.#reported.has(engine) && !this.#unavailableSince.has(engine);
  }

  /**
   * Whether the engine counts as one that this node has. One that is silent still does for a
   * while: an agent that has just started must not give up what it finds again in a moment.
   */
  isUsable(engine: EngineKind, nowMs: number): boolean {
    const silentSince = this.#reported.has(engine) ? undefined : this.#openedMs;
    const since = this.#unavailableSince.get(engine) ?? silentSince;
    return since === undefined || nowMs - since < this.#config.engineGraceMs;
  }

  problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /** The restart policy wants no further task of this revision. */
  isFinished(of: FailureKey, restart: ServiceSpec["restart"]): boolean {
    const ended = this.all().filter(({ facts, stopping }) => {
      const isIt = facts.replica === of.replica && facts.revision === of.revision;
      return isIt && !stopping && !isLive(facts);
    });
    if (ended.length === 0) return false;
    if (restart.condition === "none") return true;
    const isComplete = ended.some(({ facts }) => facts.state === "complete");
    if (restart.condition === "on-failure" && isComplete) return true;
    return restart.maxAttempts > 0 && this.failures.count(of) > restart.maxAttempts;
  }

  begin(facts: TaskFacts): void {
    this.#begin(facts, false);
  }

  #begin(facts: TaskFacts, unwatched: boolean): void {
    this.#tasks.set(facts.task, {
      facts,
      readySinceMs: undefined,
      drainingSinceMs: undefined,
      stopping: false,
      givenUp: false,
      endedAtMs: undefined,
      stopOrdered: false,
      orderedAtMs: never,
      seen: false,
      unwatched,
      problem: undefined,
    });
  }

  drain(task: LocalTask, moment: Moment, reason: string): void {
    task.drainingSinceMs = moment.monotonicMs;
    this.#change(task, moment, { state: "draining", reason });
  }

  stop(task: LocalTask, moment: Moment, reason: string, failed: boolean): void {
    task.stopping = true;
    task.givenUp = failed;
    this.#change(task, moment, { state: "stopping", ready: false, reason });
    // Its engine has never shown it, and would answer no order to stop it.
    if (!task.seen) this.#end(task, undefined, moment);
  }

  forget(task: TaskId): void {
    this.#tasks.delete(task);
  }

  observe(report: EngineReport, moment: Moment): void {
    if (report.kind === "unavailable") {
      this.#problems.set(report.engine, report.problem);
      if (!this.#unavailableSince.has(report.engine)) {
        this.#unavailableSince.set(report.engine, moment.monotonicMs);
      }
      return;
    }
    this.#problems.delete(report.engine);
    this.#unavailableSince.delete(report.engine);
    const present = new Set<TaskId>();
    for (const observed of report.tasks) {
      present.add(observed.task);
      this.#see(observed, report.engine, moment);
    }
    for (const task of this.#tasks.values()) {
      const gone = task.facts.engine === report.engine && !present.has(task.facts.task);
      if (gone && task.seen && isLive(task.facts)) this.#end(task, undefined, moment);
    }
    this.#reported.add(report.engine);
  }

  #see(observed: ObservedTask, engine: EngineKind, moment: Moment): void {
    const task = this.#tasks.get(observed.task) ?? this.#adopt(observed, engine);
    task.seen = true;
    if (!isLive(task.facts)) return;
    if (observed.state === "exited" || observed.state === "refused") {
      this.#end(task, observed, moment);
      return;
    }
    task.unwatched = false;
    const ready = observed.ready && !task.stopping;
    if (!ready) task.readySinceMs = undefined;
    else task.readySinceMs ??= moment.monotonicMs;
    const leaving = task.stopping || task.drainingSinceMs !== undefined;
    this.#change(task, moment, {
      ready,
      health: observed.health,
      ...(leaving ? {} : { state: observed.state === "stopping" ? "stopping" : observed.state }),
      ...(observed.endpoint === undefined ? {} : { endpoint: observed.endpoint }),
    });
  }

  /** A task that this agent has no row of: its rows were lost, the container was not. */
  #adopt(observed: ObservedTask, engine: EngineKind): LocalTask {
    const facts: TaskFacts = {
      task: observed.task,
      replica: observed.replica,
      service: observed.service,
      revision: observed.revision,
      engine,
      state: "starting",
      ready: false,
      health: observed.health,
      createdAtMs: observed.createdAtMs,
      changedAtMs: observed.createdAtMs,
      failures: 0,
    };
    this.#begin(facts, true);
    return this.#tasks.get(observed.task) as LocalTask;
  }

  /** Wanted or not, it is over. `observed` is undefined when the engine no longer knows it. */
  #end(task: LocalTask, observed: ObservedTask | undefined, moment: Moment): void {
    task.endedAtMs = moment.monotonicMs;
    const ranMs = moment.monotonicMs - (task.readySinceMs ?? moment.monotonicMs);
    task.readySinceMs = undefined;
    task.problem = observed?.problem;
    const { facts } = task;
    const exitCode = observed?.exitCode;
    const wanted = task.stopping && !task.givenUp;
    const failed = !wanted && (task.givenUp || exitCode !== 0 || observed?.state === "refused");
    const reason = task.stopping ? facts.reason : reasonOf(observed);
    this.#change(task, moment, {
      state: failed ? "failed" : "complete",
      ready: false,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(reason === undefined ? {} : { reason }),
    });
    if (!wanted && !task.unwatched) this.failures.note(facts, ranMs, moment.monotonicMs);
  }

  #change(task: LocalTask, moment: Moment, change: Partial<TaskFacts>): void {
    const next = { ...task.facts, ...change };
    const before = task.facts;
    const moved = next.state !== before.state || next.ready !== before.ready;
    task.facts = moved ? { ...next, changedAtMs: moment.wallMs } : next;
  }
}

function reasonOf(observed: ObservedTask | undefined): string {
  if (observed === undefined) return "the engine no longer knows this task";
  if (observed.problem !== undefined) return explain(observed.problem);
  return `exited with code ${observed.exitCode ?? "unknown"}`;
}
