/**
 * Safety: what must never be so, looked at after each step of an agent and four times a second.
 * The truth is what engines run (ledger.ts), never what an agent believes.
 *
 * The bounds say how stale an agent's knowledge may rightly be. They are wide where frames are
 * lost, since only anti-entropy brings those back, and narrow everywhere else.
 */

import { hex } from "../crdt/hash.ts";
import type { TaskFacts } from "../model/documents.ts";
import type { ReplicaId, TaskId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Agent } from "../node/agent.ts";
import { hasMajority } from "../node/desired.ts";
import type { Effect } from "../node/effects.ts";
import { replacesInPlace } from "../node/reconcile.ts";
import type { StartOrder } from "../ports.ts";
import { BeliefChecks, misplaced } from "./belief-checks.ts";
import type { SimHost } from "./host.ts";
import { isLive, type Ledger, serves, type TaskRecord } from "./ledger.ts";
import type { SimMesh } from "./mesh.ts";
import { TaskChecks } from "./task-checks.ts";

export type Bounds = {
  /** How long a task that served elsewhere may be believed to, ms. */
  readonly staleMs: number;
  /**
   * How long an endpoint on a dead host may stay in routes, ms. The worst is an agent that starts
   * in a mesh half of which is dead: its grace, and then a lone observer's word.
   */
  readonly routesMs: number;
  /** How long a `majority` service may run on the lesser side of a partition, ms. */
  readonly minorityMs: number;
};

export const bounds = {
  lossless: { staleMs: 6_000, routesMs: 10_000, minorityMs: 20_000 },
  lossy: { staleMs: 20_000, routesMs: 20_000, minorityMs: 30_000 },
} satisfies Record<string, Bounds>;

export class Checks {
  readonly #mesh: SimMesh;
  readonly #ledger: Ledger;
  readonly #bounds: Bounds;
  readonly #leaving = new Set<TaskId>();
  readonly #tasks: TaskChecks;
  readonly #beliefs: BeliefChecks;
  #breach: string | undefined;

  constructor(mesh: SimMesh, ledger: Ledger, limits: Bounds) {
    this.#mesh = mesh;
    this.#ledger = ledger;
    this.#bounds = limits;
    this.#tasks = new TaskChecks(ledger, mesh.world);
    this.#beliefs = new BeliefChecks(mesh);
  }

  /** The first thing that must not be and was. */
  breach(): string | undefined {
    return this.#breach;
  }

  fail(who: string, what: string): void {
    this.#breach ??= `${who}: ${what}`;
    this.#mesh.trace.say(who, `BREACH: ${what}`);
  }

  /** An engine was told to start a task. */
  started(order: StartOrder, host: SimHost): void {
    const twin = this.#ledger
      .of(order.replica)
      .find((task) => task.host === host && isLive(task) && !task.leaving && isSame(task, order));
    if (twin !== undefined && twin.task !== order.task) {
      this.fail(host.name, `starts ${order.task} while ${twin.task} runs`);
    }
    this.#demand(host, this.#tasks.faultOfStart(order, host));
  }

  /** Own tasks that began to leave in this step did so by choice: was there a right to it? */
  stepped(host: SimHost, effects: readonly Effect[], moment: Moment): void {
    const agent = host.agent();
    if (agent === undefined) return;
    this.#demand(host, this.#beliefs.earlyStamp(host, effects, moment));
    for (const facts of agent.ownTasks()) {
      this.#demand(host, this.#tasks.faultOfStep(facts));
      const isLeaving = facts.state === "draining" || facts.state === "stopping";
      if (!isLeaving) this.#stay(facts);
      if (!isLeaving || this.#leaving.has(facts.task)) continue;
      this.#leaving.add(facts.task);
      const record = this.#ledger.get(facts.task);
      if (record === undefined || record.leaving) continue;
      const { ready } = record;
      this.#ledger.leave(facts.task);
      if (ready) this.#judgeLeaving(host, agent, facts, record);
    }
  }

  /** An agent that died before its disk knew that a task leaves has it stay after all. */
  #stay({ task, state }: TaskFacts): void {
    if (state === "running" && this.#leaving.delete(task)) this.#ledger.stay(task);
  }

  #judgeLeaving(host: SimHost, agent: Agent, facts: TaskFacts, record: TaskRecord): void {
    this.#mesh.trace.say(host.name, `takes ${facts.task} out: ${facts.reason ?? ""}`);
    record.wished = isWished(host, agent, record);
    if (record.wished) return;
    const others = this.#ledger.of(facts.replica).filter((other) => other !== record);
    if (others.some(serves)) return;
    const sinceMs = this.#mesh.world.nowMs() - this.#bounds.staleMs;
    const lately = others.filter((other) => other.servedAtMs >= sinceMs);
    if (lately.some((other) => !other.leaving || other.wished)) return;
    const gaveWay = lately.map(({ task }) => task).join(", ");
    const why = gaveWay === "" ? "nothing else serves it" : `${gaveWay} gave way as well`;
    this.fail(host.name, `takes ${facts.task} out of service although ${why}`);
  }

  /** Four times a second. */
  sample(): void {
    for (const host of this.#mesh.running()) {
      if (host.isStalled() || this.#ageOf(host) < this.#bounds.routesMs) continue;
      this.#checkRoutes(host);
    }
    this.#checkMinorities();
    const death = this.#beliefs.falseDeath();
    if (death !== undefined) this.fail(death.who, death.what);
  }

  #demand(host: SimHost, fault: string | undefined): void {
    if (fault !== undefined) this.fail(host.name, fault);
  }

  #ageOf(host: SimHost): number {
    return this.#mesh.world.nowMs() - Math.max(host.upSinceMs(), host.awakeSinceMs());
  }

  #checkRoutes(host: SimHost): void {
    const nowMs = this.#mesh.world.nowMs();
    for (const { endpoints } of host.routes.table.services) {
      for (const { task } of endpoints) {
        const record = this.#ledger.get(task);
        const deadMs = nowMs - (record?.host.diedAtMs ?? nowMs);
        if (record !== undefined && deadMs > this.#bounds.routesMs) {
          const who = record.host.name;
          this.fail(host.name, `routes to ${task} on ${who}, dead for ${Math.round(deadMs)} ms`);
        }
      }
    }
  }

  #checkMinorities(): void {
    const split = this.#mesh.split;
    const nowMs = this.#mesh.world.nowMs();
    if (split === undefined || nowMs - split.sinceMs < this.#bounds.minorityMs) return;
    const divided = new Set(split.sides.flat());
    // Whoever joined since reaches both sides.
    const joined = this.#mesh.hosts.filter((host) => !divided.has(host)).length;
    for (const side of split.sides) {
      if ((side.length + joined) * 2 > this.#mesh.hosts.length) continue;
      for (const record of this.#ledger.live()) {
        const host = record.host;
        if (!side.includes(host) || record.order.spec.isolation !== "majority") continue;
        if (!serves(record) || host.isStalled()) continue;
        if (this.#ageOf(host) < this.#bounds.minorityMs) continue;
        this.fail(host.name, `runs ${record.task} on the lesser side of a partition`);
      }
    }
  }

  /** Every two seconds: who knows the same places the same. */
  comparePlacements(): void {
    const seen = new Map<string, { readonly host: SimHost; readonly places: string }>();
    for (const host of this.#mesh.running()) {
      const running = host.running();
      if (running === undefined || host.isStalled()) continue;
      const { agent } = running;
      const desired = agent.desired(running.moment());
      this.#demand(
        host,
        misplaced(desired, (node) => this.#mesh.find(node)?.name ?? node),
      );
      if (desired.members.some(({ rows }) => rows.noFits.length > 0)) continue;
      const statuses = desired.members.map(({ status }) => (status === "down" ? 0 : 1)).join("");
      const input = `${hex(agent.store.digest())} ${statuses}`;
      const places = placesOf(desired.placement.assignments);
      const other = seen.get(input);
      if (other === undefined) seen.set(input, { host, places });
      else if (other.places !== places) {
        this.fail(host.name, `places otherwise than ${other.host.name} from the same state`);
      }
    }
  }
}

function placesOf(assignments: ReadonlyMap<ReplicaId, string>): string {
  return [...assignments]
    .map(([replica, node]) => `${replica}=${node}`)
    .sort()
    .join();
}

function isSame(task: TaskRecord, order: StartOrder): boolean {
  return task.revision === order.revision;
}

/** Somebody's wish, as this agent knows it, and no judgement of its own. */
function isWished(host: SimHost, agent: Agent, record: TaskRecord): boolean {
  const running = host.running();
  if (running === undefined) return true;
  const desired = agent.desired(running.moment());
  const service = desired.services.find((known) => known.service === record.service);
  if (service === undefined || !service.slots.includes(record.replica)) return true;
  const { spec } = service.rollout;
  if (replacesInPlace(spec) && service.rollout.revision !== record.revision) return true;
  if (spec.isolation === "majority" && !hasMajority(desired.members)) return true;
  const own = desired.members.find(({ node }) => node === host.node);
  return own?.policy.availability === "drain" && !desired.placement.assignments.has(record.replica);
}
