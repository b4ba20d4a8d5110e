/**
 * From the desired state to this node's own work: which replicas it was given and since when,
 * which orders go to the engines, which rows tell the mesh. Remembers only what cannot be read
 * back from rows: since when something has been so.
 */

import { hex, sha256 } from "../crdt/hash.ts";
import type { Store } from "../gossip/store.ts";
import type { Row, TaskFacts } from "../model/documents.ts";
import {
  type NodeId,
  type ReplicaId,
  type ServiceId,
  splitReplicaId,
  type TaskId,
} from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import { explain } from "../model/problem.ts";
import type { StartOrder } from "../ports.ts";
import type { Config } from "./config.ts";
import {
  computeDesired,
  type Desired,
  hasMajority,
  type Place,
  type Statuses,
  type WantedService,
} from "./desired.ts";
import type { Effect } from "./effects.ts";
import type { LocalTask, LocalTasks } from "./local-tasks.ts";
import { type Action, type Assignment, type Elsewhere, reconcile } from "./reconcile.ts";
import { isLive } from "./rollout.ts";
import { deriveRouting } from "./routing.ts";

export type WorkInput = {
  readonly desired: Desired;
  readonly tasks: LocalTasks;
  readonly moment: Moment;
  readonly frozen: boolean;
  readonly order: Pick<StartOrder, "mesh" | "node" | "nodeName" | "dnsAddress" | "subnet">;
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
  #assignedSince = new Map<ReplicaId, number>();
  #readySince = new Map<TaskId, number>();
  readonly #noFits = new Map<ReplicaId, Row & { kind: "no-fit" }>();
  #routes = "";
  #states = "";

  constructor(self: NodeId, config: Config, place: Place) {
    this.#self = self;
    this.#config = config;
    this.#place = place;
  }

  look(store: Store, statuses: Statuses, moment: Moment): Desired {
    return computeDesired(store, statuses, this.#self, moment.wallMs, this.#place);
  }

  work(input: WorkInput): Work {
    const { desired, tasks, moment } = input;
    const nowMs = moment.monotonicMs;
    const services = new Map(desired.services.map((service) => [service.service, service]));
    const assignments = this.#assign(input);
    const readyElsewhere = this.#watchReady(desired, services, nowMs);
    const actions = reconcile({
      assignments,
      tasks: tasks.all(),
      isOpen: (engine) => tasks.isOpen(engine),
      elsewhere: (replica, service) =>
        this.#findElsewhere(replica, services.get(service), desired, readyElsewhere),
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
    for (const service of desired.services) {
      for (const replica of service.slots) {
        if (desired.placement.assignments.get(replica) !== this.#self) continue;
        const sinceMs = this.#assignedSince.get(replica) ?? moment.monotonicMs;
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
    const engine = engineOf(spec.workload.kind);
    return {
      replica,
      service: service.service,
      spec,
      revision,
      mayReplace: mayReplace.has(replica),
      sinceMs,
      retryAtMs: tasks.retryAtMs(replica, spec.restart.delayMs),
      finished: isFinished(replica, service, tasks),
      engineOpen: tasks.isOpen(engine),
    };
  }

  /**
   * Since when each replica is seen where it belongs: ready, on another live member, of the wanted
   * revision. A task that is ready on a node that is not its place may be about to give way.
   */
  #watchReady(
    desired: Desired,
    services: ReadonlyMap<ServiceId, WantedService>,
    nowMs: number,
  ): ReadonlyMap<ReplicaId, number> {
    const alive = new Set(
      desired.members.filter(({ status }) => status === "alive").map(({ node }) => node),
    );
    const since = new Map<TaskId, number>();
    const replicas = new Map<ReplicaId, number>();
    for (const task of desired.tasks) {
      const right = services.get(task.service)?.rollout.revision === task.revision;
      const serves = task.ready && task.state === "running" && alive.has(task.node);
      const isPlaced = desired.placement.assignments.get(task.replica) === task.node;
      if (!right || !serves || !isPlaced || task.node === this.#self) continue;
      const firstMs = this.#readySince.get(task.task) ?? nowMs;
      since.set(task.task, firstMs);
      replicas.set(task.replica, Math.min(firstMs, replicas.get(task.replica) ?? firstMs));
    }
    this.#readySince = since;
    return replicas;
  }

  #findElsewhere(
    replica: ReplicaId,
    service: WantedService | undefined,
    desired: Desired,
    readySince: ReadonlyMap<ReplicaId, number>,
  ): Elsewhere {
    const own = desired.members.find(({ node }) => node === this.#self);
    // This node itself was removed: nothing is wanted of it.
    if (own === undefined) return { kind: "surplus" };
    if (service === undefined) return { kind: desired.complete ? "removed" : "unplaced" };
    if (!service.slots.includes(replica)) return { kind: "surplus" };
    if (service.spec.isolation === "majority" && !hasMajority(desired.members)) {
      return { kind: "surplus" };
    }
    if (desired.placement.assignments.has(replica)) {
      return { kind: "moved", readySinceMs: readySince.get(replica) };
    }
    return { kind: own.policy.availability === "drain" ? "surplus" : "unplaced" };
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
      failures: tasks.failuresOf(replica),
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
      this.#refuse(task, moment);
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
    this.#forgive(tasks, moment.monotonicMs);
    return effects;
  }

  #forgive(tasks: LocalTasks, nowMs: number): void {
    for (const { facts, readySinceMs } of tasks.all()) {
      const ranMs = readySinceMs === undefined ? 0 : nowMs - readySinceMs;
      if (ranMs >= this.#config.forgivenMs) tasks.forgive(facts.replica);
    }
  }

  /** What this node cannot run, it says, so that the next in rank takes over. */
  #refuse(task: LocalTask, moment: Moment): void {
    const { problem, facts } = task;
    if (problem === undefined || !cannotRunHere.has(problem.code)) return;
    task.problem = undefined;
    this.#noFits.set(facts.replica, {
      kind: "no-fit",
      replica: facts.replica,
      revision: facts.revision,
      reason: explain(problem),
      untilMs: moment.wallMs + this.#config.noFitMs,
    });
  }

  #route(desired: Desired): Effect[] {
    const { table } = deriveRouting(desired, this.#self);
    const fingerprint = JSON.stringify(table);
    if (fingerprint === this.#routes) return [];
    this.#routes = fingerprint;
    return [{ kind: "install-routes", table }];
  }

  #rows(tasks: LocalTasks, wallMs: number): ReadonlyMap<string, Row> {
    const rows = new Map<string, Row>();
    for (const { facts } of tasks.all()) rows.set(`task/${facts.task}`, rowOf(facts));
    for (const [replica, row] of this.#noFits) {
      if (row.untilMs <= wallMs) this.#noFits.delete(replica);
      else rows.set(`no-fit/${replica}`, row);
    }
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

/** Problems that another node may not have. */
const cannotRunHere: ReadonlySet<string> = new Set([
  "image-not-found",
  "image-pull-failed",
  "command-not-found",
  "port-in-use",
  "engine-refused",
]);

function engineOf(kind: "container" | "process"): "docker" | "process" {
  return kind === "container" ? "docker" : "process";
}

/** Its restart policy wants no further task of this revision. */
function isFinished(replica: ReplicaId, service: WantedService, tasks: LocalTasks): boolean {
  const { condition, maxAttempts } = service.rollout.spec.restart;
  const ended = tasks
    .all()
    .map(({ facts, stopping }) => ({ ...facts, stopping }))
    .filter((facts) => facts.replica === replica && !isLive(facts) && !facts.stopping)
    .filter(({ revision }) => revision === service.rollout.revision);
  if (ended.length === 0) return false;
  if (condition === "none") return true;
  if (condition === "on-failure" && ended.some(({ state }) => state === "complete")) return true;
  return maxAttempts > 0 && tasks.failuresOf(replica) > maxAttempts;
}

const stopDefaults = { graceMs: 10_000, signal: "SIGTERM" };

function stopOrder(facts: TaskFacts, service: WantedService | undefined) {
  const workload = service?.rollout.spec.workload;
  return {
    task: facts.task,
    graceMs: workload?.stopGraceMs ?? stopDefaults.graceMs,
    signal: workload?.stopSignal ?? stopDefaults.signal,
  };
}

function startEffect(
  facts: TaskFacts,
  { spec, revision }: Pick<Assignment, "spec" | "revision">,
  order: WorkInput["order"],
): Effect {
  const { slot } = splitReplicaId(facts.replica);
  const { task, replica } = facts;
  return {
    kind: "start",
    engine: facts.engine,
    order: { ...order, task, replica, slot, revision, spec },
  };
}

/** Unique enough to never meet again: 60 bits of a hash over all that makes this start its own. */
function newTaskId(replica: ReplicaId, node: NodeId, moment: Moment, index: number): TaskId {
  const seed = `${replica} ${node} ${moment.wallMs} ${moment.monotonicMs} ${moment.dice} ${index}`;
  const digest = hex(sha256(new TextEncoder().encode(seed)));
  const suffix = BigInt(`0x${digest.slice(0, 15)}`)
    .toString(36)
    .padStart(12, "0")
    .slice(0, 12);
  return `${replica}.${suffix}` as TaskId;
}
