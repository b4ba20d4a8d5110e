/**
 * From the desired state to this node's own work: which replicas it was given and since when,
 * which orders go to the engines, which rows tell the mesh. Remembers only what cannot be read
 * back from rows: since when something has been so.
 */

import type { Store } from "../gossip/store.ts";
import type { Row, TaskFacts } from "../model/documents.ts";
import type { NodeId, ReplicaId, ServiceId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Config } from "./config.ts";
import {
  computeDesired,
  type Desired,
  type Member,
  type Place,
  type Statuses,
  type WantedService,
} from "./desired.ts";
import type { Effect } from "./effects.ts";
import { ElsewhereWatch } from "./elsewhere.ts";
import type { LocalTask, LocalTasks } from "./local-tasks.ts";
import { engineOf, newTaskId, type OrderFrame, startEffect, stopOrder } from "./orders.ts";
import { ReadyWatch } from "./ready-watch.ts";
import { type Action, type Assignment, reconcile } from "./reconcile.ts";
import { Refusals } from "./refusals.ts";
import { isLive, type ReadyFor } from "./rollout.ts";
import { deriveRouting } from "./routing.ts";

export type WorkInput = {
  readonly desired: Desired;
  readonly tasks: LocalTasks;
  readonly moment: Moment;
  readonly frozen: boolean;
  readonly order: OrderFrame;
};

export type Work = {
  readonly effects: readonly Effect[];
  /** All rows this node should have, its own facts and accusations apart. */
  readonly rows: ReadonlyMap<string, Row>;
  /** Monotonic ms of the next look that will find something to do; infinite when none will. */
  readonly wakeAtMs: number;
  /** Something the mesh should hear at once. */
  readonly urgent: boolean;
};

/** While something waits for time to pass, look again this often. */
const transitionMs = 50;
/** An order is repeated when the engine has not shown its effect for this long. */
const repeatOrderMs = 2_000;

export class Worklist {
  readonly #self: NodeId;
  readonly #config: Config;
  readonly #place: Place;
  readonly #elsewhere: ElsewhereWatch;
  readonly #refusals: Refusals;
  readonly #ready = new ReadyWatch();
  #assignedSince = new Map<ReplicaId, number>();
  #routes = "";
  #states = "";

  constructor(self: NodeId, config: Config, place: Place) {
    this.#self = self;
    this.#elsewhere = new ElsewhereWatch(self);
    this.#refusals = new Refusals(config.noFitMs);
    this.#config = config;
    this.#place = place;
  }

  look(store: Store, statuses: Statuses, moment: Moment): Desired {
    this.#ready.begin(moment.monotonicMs);
    const readyForMs: ReadyFor = (task) => this.#ready.forMs(task);
    return computeDesired(store, statuses, this.#self, moment.wallMs, this.#place, readyForMs);
  }

  work(input: WorkInput): Work {
    const { desired, tasks, moment } = input;
    const nowMs = moment.monotonicMs;
    const services = new Map(desired.services.map((service) => [service.service, service]));
    const assignments = this.#assign(input);
    this.#elsewhere.look(desired, services, nowMs);
    const actions = reconcile({
      assignments,
      tasks: tasks.all(),
      isOpen: (engine) => tasks.isOpen(engine),
      elsewhere: (replica, service) =>
        this.#elsewhere.find(replica, services.get(service), desired),
      frozen: input.frozen,
      nowMs,
      config: this.#config,
    });
    const effects = actions.flatMap((action, index) => this.#perform(action, index, input));
    effects.push(...this.#repeatOrders(input, services), ...this.#tidy(input, services));
    effects.push(...this.#route(desired));
    const rows = this.#rows(tasks, moment.wallMs);
    return {
      effects,
      rows,
      wakeAtMs: this.#wakeAt(assignments, tasks, nowMs),
      ...this.#urgency(tasks),
    };
  }

  #assign(input: WorkInput): Assignment[] {
    const { desired, tasks, moment } = input;
    const since = new Map<ReplicaId, number>();
    const assignments: Assignment[] = [];
    // A peer that is expected and has not said yet what it runs would lose all of that to us.
    const isInformed = desired.complete || desired.members.every(hasSpoken);
    for (const service of desired.services) {
      for (const replica of service.slots) {
        if (desired.placement.assignments.get(replica) !== this.#self) continue;
        const before = isInformed ? this.#assignedSince.get(replica) : undefined;
        const sinceMs = before ?? moment.monotonicMs;
        since.set(replica, sinceMs);
        assignments.push(this.#assignment(replica, service, sinceMs, tasks));
      }
    }
    this.#assignedSince = since;
    return assignments;
  }

  #assignment(
    replica: ReplicaId,
    service: WantedService,
    sinceMs: number,
    tasks: LocalTasks,
  ): Assignment {
    const { spec, revision, mayReplace } = service.rollout;
    const of = { service: service.service, replica, revision };
    const engine = engineOf(spec.workload.kind);
    return {
      ...of,
      spec,
      mayReplace: mayReplace.has(replica),
      sinceMs,
      retryAtMs: tasks.failures.retryAtMs(
        { service: service.service, replica, revision },
        spec.restart.delayMs,
      ),
      finished: tasks.isFinished(of, spec.restart),
      engineOpen: tasks.isOpen(engine),
    };
  }

  #perform(action: Action, index: number, input: WorkInput): Effect[] {
    const { tasks, moment } = input;
    if (action.kind === "start") return [this.#start(action.assignment, index, input)];
    const task = tasks.get(action.task);
    if (task === undefined) return [];
    if (action.kind === "drain") {
      tasks.drain(task, moment, action.reason);
      return [];
    }
    tasks.stop(task, moment, action.reason, action.failed);
    return [];
  }

  #start(assignment: Assignment, index: number, input: WorkInput): Effect {
    const { tasks, moment, order } = input;
    const { replica, service, revision, spec } = assignment;
    const facts: TaskFacts = {
      task: newTaskId(replica, this.#self, moment, index),
      replica,
      service,
      revision,
      engine: engineOf(spec.workload.kind),
      state: "preparing",
      ready: false,
      health: "none",
      createdAtMs: moment.wallMs,
      changedAtMs: moment.wallMs,
      failures: tasks.failures.count(assignment),
    };
    tasks.begin(facts);
    const task = tasks.get(facts.task) as LocalTask;
    task.orderedAtMs = moment.monotonicMs;
    return startEffect(facts, assignment, order);
  }

  /** Orders are levels as well: what an engine has not shown yet is asked for again. */
  #repeatOrders(input: WorkInput, services: ReadonlyMap<ServiceId, WantedService>): Effect[] {
    const { tasks, moment, order } = input;
    const effects: Effect[] = [];
    for (const task of tasks.all()) {
      const { facts } = task;
      const due = moment.monotonicMs - task.orderedAtMs >= repeatOrderMs;
      if (!isLive(facts) || !tasks.isOpen(facts.engine)) continue;
      const service = services.get(facts.service);
      if (task.stopping && (due || !task.stopOrdered)) {
        task.stopOrdered = true;
        task.orderedAtMs = moment.monotonicMs;
        effects.push({ kind: "stop", engine: facts.engine, order: stopOrder(facts, service) });
      } else if (!task.seen && due && service?.rollout.revision === facts.revision) {
        task.orderedAtMs = moment.monotonicMs;
        effects.push(startEffect(facts, service.rollout, order));
      }
    }
    return effects;
  }

  /** Ended tasks leave: at once when the end was wanted, else when newer ones crowd them out. */
  #tidy(input: WorkInput, services: ReadonlyMap<ServiceId, WantedService>): Effect[] {
    const { tasks, moment } = input;
    const ended = tasks.all().filter(({ facts }) => !isLive(facts));
    ended.sort((left, right) => right.facts.createdAtMs - left.facts.createdAtMs);
    const kept = new Map<ReplicaId, number>();
    const effects: Effect[] = [];
    for (const task of ended) {
      const { facts } = task;
      this.#refusals.note(task, moment);
      const count = kept.get(facts.replica) ?? 0;
      const crowded = count >= this.#config.endedTasksKept;
      const wantedEnd = task.stopping && !task.givenUp;
      if (wantedEnd || crowded || (input.desired.complete && !services.has(facts.service))) {
        effects.push({ kind: "remove", engine: facts.engine, task: facts.task });
        tasks.forget(facts.task);
      } else {
        kept.set(facts.replica, count + 1);
      }
    }
    if (input.desired.complete) tasks.failures.keepOnly(services);
    this.#forgive(tasks, moment.monotonicMs);
    return effects;
  }

  #forgive(tasks: LocalTasks, nowMs: number): void {
    for (const { facts, readySinceMs } of tasks.all()) {
      const ranMs = readySinceMs === undefined ? 0 : nowMs - readySinceMs;
      if (ranMs >= this.#config.forgivenMs) tasks.failures.forgive(facts);
    }
  }

  #route(desired: Desired): Effect[] {
    const { table } = deriveRouting(desired, this.#self);
    const fingerprint = JSON.stringify(table);
    if (fingerprint === this.#routes) return [];
    this.#routes = fingerprint;
    return [{ kind: "install-routes", table }];
  }

  #rows(tasks: LocalTasks, wallMs: number): ReadonlyMap<string, Row> {
    const rows = new Map(this.#refusals.rows(wallMs));
    for (const { facts } of tasks.all()) rows.set(`task/${facts.task}`, rowOf(facts));
    return rows;
  }

  #urgency(tasks: LocalTasks): { urgent: boolean } {
    const states = tasks
      .all()
      .map(({ facts }) => `${facts.task} ${facts.state} ${facts.ready}`)
      .join();
    const urgent = states !== this.#states;
    this.#states = states;
    return { urgent };
  }

  #wakeAt(assignments: readonly Assignment[], tasks: LocalTasks, nowMs: number): number {
    const live = new Map(tasks.all().map((task) => [task.facts.replica, task]));
    let wakeAtMs = Number.POSITIVE_INFINITY;
    for (const { replica, finished, retryAtMs } of assignments) {
      const task = live.get(replica);
      const idle = task === undefined || !isLive(task.facts);
      if (idle && !finished)
        wakeAtMs = Math.min(wakeAtMs, Math.max(nowMs + transitionMs, retryAtMs));
    }
    const moving = tasks
      .all()
      .some(({ facts }) => facts.state === "draining" || facts.state === "stopping");
    return moving ? Math.min(wakeAtMs, nowMs + transitionMs) : wakeAtMs;
  }
}

const rowsOf = new WeakMap<TaskFacts, Row>();

/** One object for the same facts, so that what was encoded once is known again. */
function rowOf(facts: TaskFacts): Row {
  const row = rowsOf.get(facts) ?? { kind: "task" as const, ...facts };
  rowsOf.set(facts, row);
  return row;
}

/** Membership's patience with those that never came ends by itself. */
function hasSpoken({ status, rows }: Member): boolean {
  return status === "down" || rows.facts !== undefined;
}
