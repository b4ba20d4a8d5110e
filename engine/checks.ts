/**
 * Health checks as a state machine: results in, a verdict out. Both engines judge by it, whoever
 * performs the check. Begin reading at `judge`; `conclude` joins the checks of one task.
 *
 * The rules are Docker's (moby, daemon/health.go) but for one thing: before the first success
 * checks are frequent, so that a task gets traffic soon after it can take it. Failures count no
 * faster for that: one for each interval, and none within the start period.
 *
 * Ages are ms since the task started.
 */

import type { Check } from "../model/spec.ts";
import type { ObservedTask } from "../ports.ts";

export type CheckState = {
  /** `untold` until the first success or until it has failed often enough. */
  readonly standing: "untold" | "passing" | "failing";
  /** In a row, those that count. */
  readonly failures: number;
  /** Age at which watching began: 0, or more for a task that was found running. */
  readonly begunMs: number;
  /** Age of the last failure that counted. */
  readonly countedMs: number;
};

export function begin(ageMs: number): CheckState {
  return { standing: "untold", failures: 0, begunMs: ageMs, countedMs: ageMs };
}

export function judge(state: CheckState, check: Check, passed: boolean, ageMs: number): CheckState {
  if (passed) return { ...state, standing: "passing", failures: 0 };
  if (state.standing === "untold") {
    const dueMs = Math.max(state.countedMs, check.startPeriodMs) + check.intervalMs;
    if (ageMs < dueMs) return state;
  }
  const failures = state.failures + 1;
  const standing = failures >= check.retries ? "failing" : state.standing;
  return { ...state, standing, failures, countedMs: ageMs };
}

/** A check costs little beside what a task costs that idles because nobody asked it. */
const eagerDelayMs = 100;

/** Until the first success a quarter of the time waited so far: eager, yet bounded in number. */
export function nextDelayMs(state: CheckState, check: Check, ageMs: number): number {
  if (state.standing !== "untold") return check.intervalMs;
  const waitedMs = ageMs - state.begunMs;
  return Math.min(check.intervalMs, Math.max(eagerDelayMs, Math.round(waitedMs / 4)));
}

export type Verdict = Pick<ObservedTask, "health" | "ready">;

/** Of a task that nothing is known of yet. */
export const unknownVerdict: Verdict = { health: "none", ready: false };

export type Findings = {
  /** Undefined where there is no such check. */
  readonly liveness: CheckState | undefined;
  readonly readiness: CheckState | undefined;
  /** What the engine's own checking of the image's HEALTHCHECK says. */
  readonly engineHealth: ObservedTask["health"];
  /** The ports that must accept before traffic comes have accepted, or have had their time. */
  readonly portsOpen: boolean;
};

/** Liveness decides health. Traffic needs both: alive as far as is asked, and ready. */
export function conclude(findings: Findings): Verdict {
  const health = worse(healthOf(findings.liveness), findings.engineHealth);
  const alive = health === "none" || health === "healthy";
  const told = findings.readiness === undefined || findings.readiness.standing === "passing";
  return { health, ready: alive && told && findings.portsOpen };
}

function healthOf(state: CheckState | undefined): ObservedTask["health"] {
  switch (state?.standing) {
    case undefined:
      return "none";
    case "untold":
      return "starting";
    case "passing":
      return "healthy";
    case "failing":
      return "unhealthy";
  }
}

/** The engine repeats what we try eagerly, so one success is enough to begin with. */
function worse(
  ours: ObservedTask["health"],
  engines: ObservedTask["health"],
): ObservedTask["health"] {
  if (ours === "unhealthy" || engines === "unhealthy") return "unhealthy";
  if (ours === "healthy" || engines === "healthy") return "healthy";
  return ours === "starting" || engines === "starting" ? "starting" : "none";
}
