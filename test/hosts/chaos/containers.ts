/** What runs beside what should, and what was ended that need not have been. */

import type { MeshView } from "../../../model/view.ts";
import type { Fault } from "./plan.ts";

export type Container = {
  readonly host: number;
  readonly id: string;
  readonly service: string;
  readonly startedAt: string;
};

/** Wanted and running, where they differ; empty when nothing is missing and nothing surplus. */
export function differences(view: MeshView, containers: readonly Container[]): string[] {
  return view.services.flatMap(({ service, replicas, ready, updated, update }) => {
    const running = containers.filter((one) => one.service === service).length;
    const isSettled = running === replicas && ready === replicas && updated === replicas;
    if (isSettled && update.state === "completed") return [];
    const shown = `${running} run, ${ready} ready, ${updated} of the revision`;
    return [`${service} wants ${replicas}: ${shown}, ${update.state} ${update.message}`];
  });
}

/**
 * What was healthy before a round and is not there after it, or was started anew. No view of the
 * mesh may do that: only these two faults end containers, those of their own host.
 */
export function restarted(
  faults: readonly Fault[],
  before: readonly Container[],
  after: readonly Container[],
): string[] {
  const ended = faults.flatMap((fault) => {
    return fault.kind === "power" || fault.kind === "engine" ? [fault.host] : [];
  });
  const lasts = ({ id, startedAt }: Container) =>
    after.some((other) => other.id === id && other.startedAt === startedAt);
  return before
    .filter((container) => !ended.includes(container.host) && !lasts(container))
    .map(({ id, host }) => `container ${id.slice(0, 12)} on host${host} does not run on`);
}
