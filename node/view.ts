/**
 * The read model: what this agent shows of the mesh (model/view.ts), derived from what it has.
 * Pure. Nothing here decides anything.
 */

import { hex } from "../crdt/hash.ts";
import { conflicts } from "../crdt/register.ts";
import type { Store } from "../gossip/store.ts";
import {
  compareIds,
  type MeshId,
  type NodeId,
  type ServiceId,
  splitReplicaId,
} from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshView, NodeView, RevisionView, ServiceView, TaskView } from "../model/view.ts";
import type { Desired, Member, WantedService } from "./desired.ts";
import { documentOf } from "./mesh-facts.ts";
import { isLive } from "./rollout.ts";

export type ViewInput = {
  readonly mesh: MeshId;
  readonly self: NodeId;
  readonly store: Store;
  readonly desired: Desired;
  readonly problems: readonly Problem[];
  readonly claims: readonly Problem[];
  readonly rttMs: ReadonlyMap<NodeId, number>;
  readonly convergedAgoMs: number;
};

export function buildView(input: ViewInput): MeshView {
  const { desired } = input;
  const services = desired.services.map((service) => viewService(service, input));
  return {
    mesh: input.mesh,
    self: input.self,
    digest: hex(input.store.digest()),
    convergedAgoMs: input.convergedAgoMs,
    nodes: desired.members.map((member) => viewNode(member, input)),
    services,
    tasks: viewTasks(desired),
    problems: [...input.problems, ...services.flatMap(({ problems }) => problems)],
  };
}

function viewNode(member: Member, { store, rttMs }: ViewInput): NodeView {
  const head = store.document(member.node)?.head;
  const rtt = rttMs.get(member.node);
  return {
    node: member.node,
    ...(member.rows.facts === undefined ? {} : { facts: member.rows.facts }),
    role: member.role,
    status: member.status,
    availability: member.policy.availability,
    labels: member.labels,
    epoch: head?.epoch ?? 0,
    seq: head?.seq ?? 0,
    ...(rtt === undefined ? {} : { rttMs: rtt }),
  };
}

function viewService(service: WantedService, input: ViewInput): ServiceView {
  const { rollout, tasks, slots } = service;
  const ready = tasks.filter((task) => task.alive && task.ready && task.state === "running");
  const updated = ready.filter(({ revision }) => revision === rollout.revision);
  return {
    service: service.service,
    spec: service.spec,
    revision: service.revision,
    replicas: slots.length,
    updated: new Set(updated.map(({ replica }) => replica)).size,
    ready: new Set(ready.map(({ replica }) => replica)).size,
    update: rollout.status,
    history: viewHistory(service),
    problems: serviceProblems(service, input),
  };
}

function viewHistory(service: WantedService): RevisionView[] {
  const lost = new Set(conflicts(service.register).map(({ id }) => id));
  return service.register.revisions.map((revision): RevisionView => {
    const document = documentOf(revision);
    const isCurrent = revision.id === service.current.id;
    const past = revision.value === undefined ? "removed" : "past";
    const status = isCurrent ? "current" : lost.has(revision.id) ? "conflict" : past;
    return {
      revision: revision.id as RevisionView["revision"],
      generation: revision.stamp.generation,
      writtenAtMs: revision.stamp.timeMs,
      writer: revision.stamp.writer,
      status,
      ...(document?.kind === "service" ? { spec: document.spec } : {}),
    };
  });
}

function serviceProblems(service: WantedService, { desired, claims }: ViewInput): Problem[] {
  const name = service.service;
  const problems: Problem[] = claims.filter(
    (problem) => problem.code === "port-claimed" && problem.service === name,
  );
  const unplaced = desired.placement.unplaced.get(name);
  if (unplaced !== undefined && unplaced.replicas > 0) {
    const { rejections } = unplaced;
    problems.push({ code: "no-eligible-node", service: name, rejections });
  }
  const lost = conflicts(service.register).map(({ id }) => id.slice(0, 12));
  if (lost.length > 0) problems.push({ code: "spec-conflict", service: name, revisions: lost });
  if (service.rollout.status.state === "paused") {
    problems.push({
      code: "update-paused",
      service: name,
      detail: service.rollout.status.message,
    });
  }
  return [...problems, ...crashes(service), ...refusals(service, desired)];
}

/** Replicas that wait for their next try after several failures. */
function crashes(service: WantedService): Problem[] {
  const worst = new Map<string, { failures: number; detail: string }>();
  for (const task of service.tasks) {
    const failures = task.failures + 1;
    if (!task.alive || task.state !== "failed" || failures < 2) continue;
    if ((worst.get(task.replica)?.failures ?? 0) < failures) {
      worst.set(task.replica, { failures, detail: task.reason ?? "" });
    }
  }
  const serving = new Set(service.tasks.filter(({ ready }) => ready).map(({ replica }) => replica));
  return [...worst]
    .filter(([replica]) => !serving.has(replica as never))
    .map(([replica, worse]) => ({ code: "task-crash-looping", replica, ...worse }));
}

/** What nodes say about why they cannot run it. */
function refusals(service: WantedService, desired: Desired): Problem[] {
  return desired.members.flatMap(({ node, rows }) =>
    rows.noFits
      .filter(({ replica }) => splitReplicaId(replica).service === service.service)
      .slice(0, 1)
      .map(({ replica, reason }): Problem => {
        return {
          code: "task-failed",
          task: `${replica} on ${rows.facts?.name ?? node}`,
          detail: reason,
        };
      }),
  );
}

function viewTasks(desired: Desired): TaskView[] {
  const members = new Map(desired.members.map((member) => [member.node, member]));
  const wanted = new Map(desired.services.map((service) => [service.service, service]));
  return desired.tasks
    .map((task): TaskView => {
      const member = members.get(task.node);
      const { alive, ...facts } = task;
      const { slot } = splitReplicaId(task.replica);
      const nodeName = member?.rows.facts?.name ?? task.node;
      const current = isCurrent(task.replica, task.node, task.service, desired, wanted);
      const superseded = !isLive(task) || !current;
      return {
        ...facts,
        nodeName,
        slot: slot === task.node ? nodeName : slot,
        standing: !alive ? "orphaned" : superseded ? "superseded" : "current",
      };
    })
    .sort(
      (left, right) =>
        compareIds(left.service, right.service) ||
        compareSlots(left.slot, right.slot) ||
        right.createdAtMs - left.createdAtMs,
    );
}

function isCurrent(
  replica: TaskView["replica"],
  node: NodeId,
  service: ServiceId,
  desired: Desired,
  wanted: ReadonlyMap<ServiceId, WantedService>,
): boolean {
  return wanted.has(service) && desired.placement.assignments.get(replica) === node;
}

function compareSlots(left: string, right: string): number {
  const numbers = Number(left) - Number(right);
  return Number.isNaN(numbers) ? compareIds(left, right) : numbers;
}
