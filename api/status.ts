/** Which HTTP status a problem has. The body says the rest; a status is for proxies and scripts. */

import type { Problem, ProblemCode } from "../model/problem.ts";

/** Of a bug: docs/problems.md has no section for those. */
export const bugStatus = 500;
/** Understood, and cannot be done: whatever is not named below. */
const otherStatus = 422;

const codes: readonly (readonly [status: number, codes: readonly ProblemCode[]])[] = [
  [400, ["request-invalid", "value-invalid", "argument-invalid", "stamp-from-future"]],
  [401, ["signature-invalid", "request-expired", "mesh-mismatch"]],
  [403, ["not-authorised", "key-refused", "node-revoked", "node-equivocated"]],
  [404, ["route-unknown", "task-unknown", "service-unknown", "stack-unknown"]],
  [404, ["node-unknown", "person-unknown", "revision-unknown", "invite-unknown", "not-member"]],
  [408, ["request-timeout"]],
  [409, ["port-claimed", "port-in-use", "spec-conflict", "update-paused", "already-member"]],
  [413, ["request-too-large"]],
  [429, ["overloaded"]],
  [503, ["engine-unavailable", "peer-unreachable", "node-down", "agent-not-running"]],
  [503, ["disk-full", "data-directory-unwritable", "clock-skewed"]],
];

const statuses = new Map(codes.flatMap(([status, list]) => list.map((code) => [code, status])));

/** The first problem speaks for all. */
export function statusOf(problems: readonly Problem[]): number {
  const [first] = problems;
  return first === undefined ? bugStatus : (statuses.get(first.code) ?? otherStatus);
}
