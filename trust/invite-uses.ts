/** Admissions by invite, in the order in which they are to be judged. */

import type { Verify } from "../crdt/signed.ts";
import { compareIds, type MeshId } from "../model/ids.ts";
import { type Acceptance, isAccepted, type Role, type SignedFact } from "./facts.ts";

export type InviteUse = {
  /** Of the fact. */
  readonly id: string;
  /** The invite's key. */
  readonly invite: string;
  readonly subject: string;
  readonly role: Role;
  readonly name: string;
  readonly acceptance: Acceptance;
};

/** Those that their acceptor signed as they are, by acceptance time. */
export function readUses(
  mesh: MeshId,
  facts: readonly SignedFact[],
  verify: Verify,
): readonly InviteUse[] {
  return facts
    .flatMap(({ id, issuer, fact }): InviteUse[] => {
      if (fact.kind !== "admit" || fact.acceptance === null) return [];
      const { subject, role, name, acceptance } = fact;
      return [{ id, invite: issuer, subject, role, name, acceptance }];
    })
    .filter((use) => isAccepted(mesh, use, use.acceptance, verify))
    .sort(
      (left, right) =>
        left.acceptance.timeMs - right.acceptance.timeMs || compareIds(left.id, right.id),
    );
}

/**
 * Takes each use whose acceptor is a peer. One whose acceptor is none yet waits until another use
 * makes it one: clocks differ, and a node may accept before, by its own clock, it was accepted.
 */
export function walkUses(
  uses: readonly InviteUse[],
  isPeer: (node: string) => boolean,
  take: (use: InviteUse) => void,
): void {
  const waiting = new Map<string, InviteUse[]>();
  const queue = [...uses];
  for (const use of queue) {
    const { node } = use.acceptance;
    if (isPeer(node)) {
      take(use);
      const freed = isPeer(use.subject) ? (waiting.get(use.subject) ?? []) : [];
      for (const one of freed) queue.push(one);
      if (freed.length > 0) waiting.delete(use.subject);
      continue;
    }
    const others = waiting.get(node);
    if (others === undefined) waiting.set(node, [use]);
    else others.push(use);
  }
}
