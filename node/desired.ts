/**
 * What should be: from everything said (specs, rows, membership) to which replica runs where and
 * at which revision. Pure; every node computes the whole and obeys its own part.
 */

import type { MemberStanding, MemberStatus } from "../gossip/member.ts";
import type { Store } from "../gossip/store.ts";
import type { TaskFacts } from "../model/documents.ts";
import {
  compareIds,
  type NodeId,
  type ReplicaId,
  type RevisionId,
  replicaId,
  type ServiceId,
} from "../model/ids.ts";
import type {
  Incumbent,
  NodeCandidate,
  Placement,
  PlacementInput,
  Wanted,
} from "../placement/place.ts";
import {
  type NodePolicy,
  type NodeRows,
  readNode,
  readPolicy,
  readServices,
  type ServiceFacts,
} from "./mesh-facts.ts";
import {
  type Aim,
  aimOf,
  isLive,
  type PlacedTask,
  planRollout,
  type ReadyFor,
  type Rollout,
} from "./rollout.ts";

export type Statuses = ReadonlyMap<NodeId, MemberStanding>;

export type Member = {
  readonly node: NodeId;
  readonly role: "peer" | "runner";
  readonly status: MemberStatus;
  /** Its agent was heard since this one was started. */
  readonly heard: boolean;
  readonly rows: NodeRows;
  readonly policy: NodePolicy;
  readonly labels: Readonly<Record<string, string>>;
};

/** A service with its tasks, and what those are to become. */
export type AimedService = ServiceFacts & {
  readonly aim: Aim;
  readonly tasks: readonly PlacedTask[];
};

export type WantedService = AimedService & {
  readonly slots: readonly ReplicaId[];
  readonly rollout: Rollout;
};

export type Desired = {
  readonly members: readonly Member[];
  readonly services: readonly WantedService[];
  readonly tasks: readonly PlacedTask[];
  readonly placement: Placement;
  /** What is missing here was removed: this node's state was seen equal to a peer's. */
  readonly complete: boolean;
};

/** Places with memory of the last time: see placement/placer.ts. */
export type Place = (input: PlacementInput) => Placement;

export function computeDesired(
  store: Store,
  statuses: Statuses,
  self: NodeId,
  nowMs: number,
  place: Place,
  readyForMs: ReadyFor,
): Desired {
  const members = readMembers(store, statuses, self);
  const tasks = collectTasks(members);
  const services = takeAim(readServices(store), members, tasks);
  const placement = place(placementInput(services, members, nowMs));
  const wanted = services.map((service): WantedService => {
    const slots = slotsOf(service, placement, members);
    const rollout = planRollout(service, service.aim, slots, service.tasks, readyForMs);
    return { ...service, slots, rollout };
  });
  const complete = members.length === 1 || store.hasConverged();
  return { members, services: wanted, tasks, placement, complete };
}

const ownStanding: MemberStanding = { status: "alive", heard: true };
const unknownStanding: MemberStanding = { status: "down", heard: false };

/** Every admitted node, sorted by id; its document may not have arrived yet. */
export function readMembers(store: Store, statuses: Statuses, self: NodeId): Member[] {
  const members: Member[] = [];
  for (const [node, { role }] of store.trust.view().nodes) {
    const rows = readNode(store, node);
    const policy = readPolicy(store, node);
    const standing = node === self ? ownStanding : statuses.get(node);
    const { status, heard } = standing ?? unknownStanding;
    const labels = { ...rows.facts?.labels, ...policy.labels };
    members.push({ node, role, status, heard, rows, policy, labels });
  }
  return members.sort((left, right) => compareIds(left.node, right.node));
}

type Placed = Partial<Record<MemberStatus, readonly PlacedTask[]>>;
const placedTasks = new WeakMap<NodeRows, Placed>();

/** The same objects for the same rows, so that a look at what did not change makes none. */
function collectTasks(members: readonly Member[]): PlacedTask[] {
  return members.flatMap(({ node, status, rows }) => {
    const known = placedTasks.get(rows)?.[status];
    if (known !== undefined) return known;
    const alive = status !== "down";
    const tasks = rows.tasks.map((task): PlacedTask => ({ ...task, node, alive }));
    placedTasks.set(rows, { ...placedTasks.get(rows), [status]: tasks });
    return tasks;
  });
}

export function takeAim(
  services: readonly ServiceFacts[],
  members: readonly Member[],
  tasks: readonly PlacedTask[],
): AimedService[] {
  const present = members.filter(({ status }) => status !== "down").length;
  const byService = groupByService(tasks);
  return services.map((service): AimedService => {
    const own = byService.get(service.service) ?? [];
    return { ...service, tasks: own, aim: aimOf(service, own, present) };
  });
}

/** Everything about placing follows what is aimed at: after a rollback, the spec before. */
export function placementInput(
  services: readonly AimedService[],
  members: readonly Member[],
  nowMs: number,
): PlacementInput {
  const majority = hasMajority(members);
  const wanted = services
    .filter(({ aim }) => aim.spec.isolation !== "majority" || majority)
    .map(({ aim: { spec, revision }, replicas, createdAtMs }): Wanted => {
      return { spec, revision, replicas, createdAtMs };
    });
  const staying = new Set(
    services.filter(({ aim }) => aim.spec.isolation === "stay").map(({ service }) => service),
  );
  return {
    nodes: members.map(candidate),
    wanted,
    incumbents: findIncumbents(services, staying),
    refusals: members.flatMap(({ rows }) => rows.noFits).filter(({ untilMs }) => untilMs > nowMs),
    stay: staying,
  };
}

/** More than half of the registered members are not down, this side counted. */
export function hasMajority(members: readonly Member[]): boolean {
  const alive = members.filter(({ status }) => status !== "down").length;
  return alive * 2 > members.length;
}

function candidate(member: Member): NodeCandidate {
  const { facts } = member.rows;
  return {
    node: member.node,
    name: facts?.name ?? "",
    role: member.role,
    alive: member.status !== "down" && facts !== undefined,
    availability: member.policy.availability,
    labels: member.labels,
    os: facts?.os ?? "",
    arch: facts?.arch ?? "",
    engines: facts?.engines ?? [],
    cpuMilli: facts?.cpuMilli ?? 0,
    memoryBytes: facts?.memoryBytes ?? 0,
    weight: 1,
  };
}

/**
 * Who holds a replica now, best claim first: ready before not ready, then the wanted revision
 * before others, then the older task, then the lower node id. After a partition heals this is what
 * lets the older healthy task win.
 */
function findIncumbents(
  services: readonly AimedService[],
  staying: ReadonlySet<ServiceId>,
): Incumbent[] {
  const aims = new Map(services.map(({ service, aim }) => [service, aim.revision]));
  const isRight = (task: PlacedTask) => Number(task.revision === aims.get(task.service));
  const holders = services
    .flatMap(({ tasks }) => tasks)
    .filter(
      (task) => (task.alive || staying.has(task.service)) && holds(task, aims.get(task.service)),
    );
  holders.sort(
    (left, right) =>
      Number(right.ready) - Number(left.ready) ||
      isRight(right) - isRight(left) ||
      left.createdAtMs - right.createdAtMs ||
      compareIds(left.node, right.node),
  );
  return holders.map(({ replica, node }, rank) => ({ replica, node, rank }));
}

/**
 * A task that ended and is not to be tried again still holds its replica's place. So does one
 * that drains to make room for a newer revision; one of the right revision drains to move away.
 */
function holds(task: TaskFacts, current: RevisionId | undefined): boolean {
  if (task.state === "complete") return true;
  const leaving = task.state === "draining" || task.state === "stopping";
  return isLive(task) && (!leaving || task.revision !== current);
}

function groupByService(tasks: readonly PlacedTask[]): Map<ServiceId, PlacedTask[]> {
  const groups = new Map<ServiceId, PlacedTask[]>();
  for (const task of tasks) {
    const group = groups.get(task.service);
    if (group === undefined) groups.set(task.service, [task]);
    else group.push(task);
  }
  return groups;
}

/** The replicas that should exist, in rollout order. */
function slotsOf(
  service: AimedService,
  placement: Placement,
  members: readonly Member[],
): ReplicaId[] {
  if (service.aim.spec.mode === "global") {
    return members
      .map(({ node }) => replicaId(service.service, node))
      .filter((replica) => placement.assignments.has(replica));
  }
  return Array.from({ length: service.replicas }, (_, index) =>
    replicaId(service.service, index + 1),
  );
}
