/**
 * What an operator hands in, read and judged as far as it can be before it is on disk: seals, who
 * ever could write, and clocks. Roles and specs are node/write-check.ts's business. Pure.
 */

import type { Revision } from "../crdt/register.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import type { Write } from "../ports.ts";
import type { ClockGuard } from "./clock-guard.ts";
import { Receipts } from "./receipts.ts";
import type { Replica } from "./replica.ts";

/** Sealed bytes, as an operator signed them. */
export type Submission = {
  readonly revisions: readonly Uint8Array[];
  readonly facts: readonly Uint8Array[];
};

export type Prepared =
  | {
      readonly kind: "ready";
      readonly revisions: readonly Revision[];
      /** What has to be on disk before it is merged. */
      readonly rows: readonly Write[];
    }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] };

export function prepare(
  { revisions, facts }: Submission,
  replica: Replica,
  guard: ClockGuard,
  moment: Moment,
): Prepared {
  const read = revisions.map((bytes) => replica.readRevision(bytes));
  const problems = [...guard.judge(read, moment)];
  if (!facts.every((bytes) => replica.isFact(bytes))) {
    const detail = "a fact's seal, or it belongs to another mesh";
    problems.push({ code: "signature-invalid", detail });
  }
  if (problems.length > 0) return { kind: "refused", problems };
  const whole = read as readonly Revision[];
  const rows = [
    ...facts.map((value): Write => ({ table: "fact", key: Receipts.idOf(value), value })),
    ...whole.map(({ id, bytes }): Write => ({ table: "revision", key: id, value: bytes })),
  ];
  return { kind: "ready", revisions: whole, rows };
}
