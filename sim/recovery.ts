/**
 * Liveness: once everything is put right, the mesh must be whole again, each part of it within its
 * bound: equal state, everyone alive, wanted = running, nothing surplus, routes complete, and what
 * operators said last in force. Then one host is lost for good, and removed: whole without it.
 */

import { hex } from "../crdt/hash.ts";
import type { NodeId, ReplicaId, TaskId } from "../model/ids.ts";
import type { ServiceSpec } from "../model/spec.ts";
import type { Agent } from "../node/agent.ts";
import { type Desired, hasMajority } from "../node/desired.ts";
import type { Checks } from "./checks.ts";
import type { SimHost } from "./host.ts";
import { LastWords } from "./last-words.ts";
import { type Ledger, serves } from "./ledger.ts";
import type { SimMesh } from "./mesh.ts";
import { isUnfit, type Operators, type Written } from "./operators.ts";

/**
 * How long each may take after healing, virtual ms. Whole is late where a stop-first rollout has a
 * dozen replicas to go through one by one, each twice after a partition.
 */
export const recoveryBounds = {
  membersMs: 10_000,
  digestsMs: 20_000,
  wholeMs: 120_000,
  /** Whole without a host that is gone for good. */
  lossMs: 30_000,
};

export class Recovery {
  readonly #mesh: SimMesh;
  readonly #ledger: Ledger;
  readonly #checks: Checks;
  readonly #operators: Operators;

  constructor(mesh: SimMesh, ledger: Ledger, checks: Checks, operators: Operators) {
    this.#mesh = mesh;
    this.#ledger = ledger;
    this.#checks = checks;
    this.#operators = operators;
  }

  /** True when the mesh is whole; what is missing is told to the checks. */
  run(afterEach: () => void): boolean {
    const { membersMs, wholeMs } = recoveryBounds;
    // What a wrong clock stamped ahead is merged when its time has come, and not before.
    const digestsMs = recoveryBounds.digestsMs + this.#aheadMs();
    return (
      this.#demand("everyone alive", membersMs, afterEach, () => this.#strangers()) &&
      this.#demand("equal state", digestsMs, afterEach, () => this.#differences()) &&
      this.#settle(afterEach) &&
      this.#demand("wanted = running", wholeMs, afterEach, () => this.#missing()) &&
      this.#demand("equal state again", digestsMs, afterEach, () => this.#differences()) &&
      this.#none("lost writes", this.#lostWrites()) &&
      this.#none("word of operators is overruled", this.#overruled()) &&
      this.#none("removed node is left", this.#leftovers()) &&
      this.#loseOne(afterEach)
    );
  }

  #aheadMs(): number {
    const stamps = this.#operators.written.map(({ revision }) => revision.stamp.timeMs);
    return Math.max(0, ...stamps.map((timeMs) => timeMs - this.#mesh.world.wallMs()));
  }

  /** Operators put right what they did; a write may be refused while clocks are being set. */
  #settle(afterEach: () => void): boolean {
    return this.#demand("operators' last words", 20_000, afterEach, () => {
      const faults = this.#unsettled();
      if (faults !== undefined) this.#operators.settle(this.#desired());
      return faults;
    });
  }

  #unsettled(): string | undefined {
    const { services, members } = this.#desired();
    const broken = services.filter(isUnfit);
    const drained = members.filter(({ policy }) => policy.availability !== "active");
    if (broken.length + drained.length === 0) return undefined;
    return `${broken.length} broken services, ${drained.length} drained nodes`;
  }

  #desired(): Desired {
    const host = this.#mesh.running()[0]?.running();
    if (host === undefined) throw new Error("nothing runs after healing");
    return host.agent.desired(host.moment());
  }

  #agents(): { readonly name: string; readonly agent: Agent }[] {
    return this.#mesh.hosts.flatMap((host) => {
      const agent = host.agent();
      return agent === undefined ? [] : [{ name: host.name, agent }];
    });
  }

  #strangers(): string | undefined {
    const all = this.#mesh.running().map(({ node }) => node);
    for (const { name, agent } of this.#agents()) {
      for (const node of all) {
        if (node === agent.self) continue;
        const status = agent.statuses().get(node)?.status ?? "unknown";
        if (status !== "alive") return `${name} holds ${this.#nameOf(node)} for ${status}`;
      }
    }
    return undefined;
  }

  #differences(): string | undefined {
    const [first, ...others] = this.#agents();
    const digest = first === undefined ? "" : hex(first.agent.store.digest());
    const unlike = others.find(({ agent }) => hex(agent.store.digest()) !== digest);
    if (first === undefined || unlike === undefined) return undefined;
    const parts = this.#mesh.hosts
      .filter(({ node }) => versionOf(first.agent, node) !== versionOf(unlike.agent, node))
      .map(({ node, name }) => {
        const versions = [first, unlike].map(({ agent }) => versionOf(agent, node));
        return `${name}'s document ${versions.join(" and ")}`;
      });
    const what = parts.length === 0 ? "registers or facts" : parts.join(", ");
    return `${first.name} and ${unlike.name} differ in ${what}`;
  }

  #missing(): string | undefined {
    const desired = this.#desired();
    const paused = desired.services.find(isUnfit);
    if (paused !== undefined) {
      this.#operators.settle(desired);
      return `the update of ${paused.service} is paused: ${paused.rollout.status.message}`;
    }
    return this.#unlike(desired) ?? this.#strangers() ?? this.#unrouted();
  }

  /** Wanted against what engines run. */
  #unlike(desired: Desired): string | undefined {
    const wanted = new Map<ReplicaId, string>();
    for (const { slots, rollout } of desired.services) {
      for (const replica of slots) {
        if (!isWaiting(replica, rollout.spec, desired)) wanted.set(replica, rollout.revision);
      }
    }
    const running = new Map<ReplicaId, TaskId>();
    for (const record of this.#ledger.live()) {
      if (wanted.get(record.replica) !== record.revision) return `${record.task} is surplus`;
      const twin = running.get(record.replica);
      if (twin !== undefined) return `${record.task} runs beside ${twin}`;
      running.set(record.replica, record.task);
      if (!serves(record)) return `${record.task} does not serve yet`;
    }
    const missing = [...wanted.keys()].find((replica) => !running.has(replica));
    return missing === undefined ? undefined : `${missing} is missing`;
  }

  #unrouted(): string | undefined {
    const serving = this.#ledger.live().map(({ task }) => task);
    const expected = serving.sort().join();
    for (const host of this.#mesh.running()) {
      const endpoints = host.routes.table.services.flatMap((service) => service.endpoints);
      const routed = endpoints.map(({ task }) => task).sort();
      if (routed.join() !== expected) {
        return `${host.name} routes to ${routed.length} of ${serving.length} tasks`;
      }
    }
    return undefined;
  }

  /** What was acknowledged is there, or ten better ones are. */
  #lostWrites(): string | undefined {
    for (const { name, agent } of this.#agents()) {
      for (const { revision } of this.#acknowledged()) {
        const kept = agent.store.register(revision.key)?.revisions ?? [];
        if (kept.length < 10 && !kept.some(({ id }) => id === revision.id)) {
          const { generation } = revision.stamp;
          return `${name} has lost a write of ${revision.key}, generation ${generation}`;
        }
      }
    }
    return undefined;
  }

  /** What a peer took that was removed with its disk right after is nobody's to keep. */
  #acknowledged(): Written[] {
    const { hosts } = this.#mesh;
    return this.#operators.written.filter(
      ({ acknowledged, at }) => acknowledged && hosts.includes(at),
    );
  }

  #overruled(): string | undefined {
    const { hosts } = this.#mesh;
    const words = new LastWords(this.#operators.written, new Set(hosts.map(({ node }) => node)));
    for (const { name, agent } of this.#agents()) {
      const fault = words.faultOf(agent);
      if (fault !== undefined) return `${name}: ${fault}`;
    }
    return undefined;
  }

  /** Of nodes that were removed: neither role nor document. */
  #leftovers(): string | undefined {
    for (const { node, name: whose } of this.#mesh.removed) {
      for (const { name, agent } of this.#agents()) {
        if (agent.store.trust.view().nodes.has(node)) return `${name} counts ${whose} as a member`;
        if (agent.store.document(node) !== undefined) return `${name} has ${whose}'s document`;
      }
    }
    return undefined;
  }

  /** One host is gone for good: what it ran must run elsewhere, and nobody route there. */
  #loseOne(afterEach: () => void): boolean {
    const { hosts, seed, trace } = this.#mesh;
    const lost = hosts[Math.abs(seed) % hosts.length];
    if (hosts.length < 3 || lost === undefined) return true;
    trace.say(lost.name, "is lost for good");
    lost.powerOff();
    const { lossMs } = recoveryBounds;
    return (
      this.#demand("recovery from a loss", lossMs, afterEach, () => {
        const desired = this.#desired();
        const status = desired.members.find(({ node }) => node === lost.node)?.status;
        if (status !== "down") return `${lost.name} is thought ${status}`;
        return this.#unlike(desired) ?? this.#strangers() ?? this.#unrouted();
      }) && this.#demand("removal of the lost", lossMs, afterEach, () => this.#unremoved(lost))
    );
  }

  /** An operator removes it: nobody counts with it any more, and what waited for it does not. */
  #unremoved(lost: SimHost): string | undefined {
    if (this.#operators.isSponsor(lost)) return undefined;
    if (this.#mesh.hosts.includes(lost)) {
      this.#operators.expel(lost);
      return `${lost.name} is not removed`;
    }
    return this.#leftovers() ?? this.#differences() ?? this.#unlike(this.#desired());
  }

  #nameOf(node: NodeId): string {
    return this.#mesh.find(node)?.name ?? node;
  }

  #demand(
    what: string,
    boundMs: number,
    afterEach: () => void,
    fault: () => string | undefined,
  ): boolean {
    const { world, trace } = this.#mesh;
    const startedMs = world.nowMs();
    const holds = () => this.#checks.breach() !== undefined || fault() === undefined;
    world.runUntilTrue(holds, startedMs + boundMs, afterEach);
    if (this.#checks.breach() !== undefined) return false;
    const left = fault();
    if (left !== undefined) return this.#none(what, left);
    trace.say("check", `${what} after ${Math.round(world.nowMs() - startedMs)} ms`);
    return true;
  }

  #none(what: string, fault: string | undefined): boolean {
    if (fault === undefined) return true;
    this.#checks.fail("check", `no ${what}: ${fault}`);
    return false;
  }
}

/** Its node is down and it stays with it, or too few are left for it to run at all. */
function isWaiting(replica: ReplicaId, spec: ServiceSpec, desired: Desired): boolean {
  if (spec.isolation === "majority") return !hasMajority(desired.members);
  const node = desired.placement.assignments.get(replica);
  const isDown = desired.members.some((one) => one.node === node && one.status === "down");
  return spec.isolation === "stay" && isDown;
}

function versionOf({ store }: Agent, node: NodeId): string {
  const head = store.document(node)?.head;
  return head === undefined ? "none" : `${head.epoch}.${head.seq}`;
}
