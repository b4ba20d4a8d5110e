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

export type Verdict = {
  /** Sent to a host in trouble. */
  readonly there: number;
  /** Sent elsewhere, and open when it happened. */
  readonly elsewhere: number;
  readonly unexcused: readonly Answer[];
};

export function judge(
  failures: readonly Answer[],
  troubles: readonly Trouble[],
  addresses: ReadonlyMap<number, string>,
): Verdict {
  const there = failures.filter((failure) =>
    troubles.some((trouble) => excusesThere(trouble, failure, addresses)),
  );
  const others = failures.filter((failure) => !there.includes(failure));
  const unexcused = others.filter((failure) =>
    troubles.every((trouble) => !excusesElsewhere(trouble, failure)),
  );
  return { there: there.length, elsewhere: others.length - unexcused.length, unexcused };
}

function excusesThere(
  { fault, fromMs, wholeMs }: Trouble,
  { url, atMs, tookMs }: Answer,
  addresses: ReadonlyMap<number, string>,
): boolean {
  const target = new URL(url).hostname;
  const isThere = troubled(fault).some((host) => addresses.get(host) === target);
  return isThere && silences(fault) && atMs + tookMs >= fromMs && atMs <= wholeMs;
}

function excusesElsewhere(trouble: Trouble, { atMs, tookMs, open }: Answer): boolean {
  const isNear = (breakMs: number) => atMs + tookMs >= breakMs && atMs <= breakMs + routesMsMax;
  return open === true && breaks(trouble).some(isNear);
}

/** Whether nobody can count on an answer of the host itself. */
function silences({ kind }: Fault): boolean {
  return !["cut", "one-way", "split", "engine", "disk", "clock"].includes(kind);
}

/** When connections through the mesh break. */
function breaks({ fault, fromMs, undoneMs }: Trouble): number[] {
  switch (fault.kind) {
    case "slow":
    case "loss":
    case "disk":
    case "clock":
      return [];
    case "engine":
      // Docker ends the containers that it finds when it is started again.
      return [undoneMs];
    default:
      return [fromMs];
  }
}
