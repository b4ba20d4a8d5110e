/**
 * Keys that some fact ever made an operator or an admin, whatever was revoked, used up or expired:
 * a set that only grows with the facts. It decides whose revisions are kept at all; whether they
 * are valid is asked when they are read. Were it to shrink, nodes that heard of a revocation at
 * different times would keep different revisions for ever.
 */

import type { Role, SignedFact } from "./facts.ts";
import { type InviteUse, walkUses } from "./invite-uses.ts";

export function everWriters(
  facts: readonly SignedFact[],
  founders: readonly string[],
  uses: readonly InviteUse[],
): ReadonlySet<string> {
  const admins = new Set(founders);
  const writers = new Set(founders);
  const peers = new Set<string>();
  /** Invite's key and role. */
  const invites = new Set<string>();
  const admit = (subject: string, role: Role): void => {
    if (role === "peer") peers.add(subject);
    if (role === "operator" || role === "admin") writers.add(subject);
    if (role === "admin") admins.add(subject);
  };
  const byIssuer = Map.groupBy(facts, ({ issuer }) => issuer);
  // Both sets grow while they are walked, and the second may make more of the first.
  const heard = new Set<string>();
  while (heard.size < admins.size) {
    for (const admin of admins) {
      if (heard.has(admin)) continue;
      heard.add(admin);
      for (const { fact } of byIssuer.get(admin) ?? []) {
        if (fact.kind === "grant") admit(fact.subject, fact.role);
        if (fact.kind === "admit" && fact.acceptance === null) admit(fact.subject, fact.role);
        if (fact.kind === "invite") invites.add(`${fact.invite} ${fact.role}`);
      }
    }
    walkUses(
      uses,
      (node) => peers.has(node),
      ({ invite, subject, role }) => {
        if (invites.has(`${invite} ${role}`)) admit(subject, role);
      },
    );
  }
  return writers;
}
