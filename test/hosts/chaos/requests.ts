/**
 * Which failed requests a fault excuses, and no others:
 *
 * - sent to a host that was in trouble itself while the request lasted, since nobody can answer
 *   there, or not in time;
 * - sent to any other host, and carried by a connection that stood, when a host went away that
 *   may have been answering it: until routes have dropped that one, which DESIGN promises within
 *   1.5 s.
 *
 * A full disk and a wrong clock excuse nothing: what serves goes on serving.
 */

import type { Answer } from "../load.ts";
import { type Fault, troubled } from "./plan.ts";

/** A fault as it was carried out, Unix ms. */
export type Trouble = {
  readonly fault: Fault;
  readonly fromMs: number;
  /** When its undoing began, and when the mesh was whole again. */
  readonly undoneMs: number;
  readonly wholeMs: number;
};

/** From a host's end to the last request that is sent its way. */
export const routesMsMax = 1_500;

/** Failures that nothing excuses. */
export function unexcused(
  failures: readonly Answer[],
  troubles: readonly Trouble[],
  addresses: ReadonlyMap<number, string>,
): Answer[] {
  return failures.filter((failure) => {
    return !troubles.some((trouble) => excuses(trouble, failure, addresses));
  });
}

function excuses(
  trouble: Trouble,
  failure: Answer,
  addresses: ReadonlyMap<number, string>,
): boolean {
  const { fault, fromMs, wholeMs } = trouble;
  if (fault.kind === "disk" || fault.kind === "clock") return false;
  const { atMs, tookMs, open } = failure;
  const endMs = atMs + tookMs;
  const target = new URL(failure.url).hostname;
  const isThere = troubled(fault).some((host) => addresses.get(host) === target);
  if (isThere && silences(fault) && endMs >= fromMs && atMs <= wholeMs) return true;
  return (
    open === true &&
    breaks(trouble).some((atBreakMs) => {
      return endMs >= atBreakMs && atMs <= atBreakMs + routesMsMax;
    })
  );
}

/** Whether nobody can count on an answer of the host itself. */
function silences({ kind }: Fault): boolean {
  return !["cut", "one-way", "engine"].includes(kind);
}

/** When connections through the mesh break. */
function breaks({ fault, fromMs, undoneMs }: Trouble): number[] {
  switch (fault.kind) {
    case "slow":
    case "loss":
      return [];
    case "engine":
      // Docker ends the containers that it finds when it is started again.
      return [undoneMs];
    default:
      return [fromMs];
  }
}
