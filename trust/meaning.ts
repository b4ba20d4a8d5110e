/**
 * What a set of facts means. It depends on the set alone, never on the order of arrival, so nodes
 * with equal facts admit equally. Begin reading at `interpret`.
 *
 * Rules:
 * - Genesis names the first admins; admins make admins, by grant, admission or invite. Only a
 *   revocation unmakes one. Of other roles the last that an admin gave stands.
 * - A revocation stands when its issuer is an admin, or is its subject, and is not cut off by a
 *   revocation before it. It takes away everything its subject was given, for good, and cuts off
 *   what the subject signed from the cut-off on: admins that it made after that are none.
 * - Any other fact counts when its issuer is an admin who was not cut off by then. Whether it was
 *   one already is not asked: clocks differ, and it could say the same again now.
 * - An admission by invite counts for the first `uses` of the invite, by acceptance time, when the
 *   accepting node is a peer and neither it nor the invite was cut off by then. It only raises:
 *   no fact holds its subject's consent, so nobody is made less by one, or a node of a person.
 */

import type { Verify } from "../crdt/signed.ts";
import { compareIds, type MeshId, type NodeId } from "../model/ids.ts";
import { everWriters } from "./ever-writers.ts";
import { isNodeRole, isRaise, type PersonRole, type Role, type SignedFact } from "./facts.ts";
import { type InviteUse, readUses, walkUses } from "./invite-uses.ts";
import type { Admitted, InviteStanding, TrustView } from "./view.ts";

/** Admins invited by admins who were invited, and so on, so deep at most. */
const roundsMax = 64;

/** Pure: equal sets of facts give equal views. */
export function interpret(mesh: MeshId, facts: readonly SignedFact[], verify: Verify): TrustView {
  const sorted = facts.toSorted(
    (left, right) => left.timeMs - right.timeMs || compareIds(left.id, right.id),
  );
  const genesis = sorted.find(({ fact }) => fact.kind === "genesis")?.fact;
  const founders = genesis?.kind === "genesis" ? genesis.admins : [];
  const uses = readUses(mesh, sorted, verify);
  // What an invited admin says may bear on who is invited: each round hears those of the last.
  let judgement = new Judgement(sorted, uses, founders, []);
  for (let round = 1; round < roundsMax; round++) {
    const invited = judgement.invitedAdmins();
    if (judgement.heard(invited)) break;
    judgement = new Judgement(sorted, uses, founders, invited);
  }
  return {
    mesh,
    name: genesis?.kind === "genesis" ? genesis.name : "",
    everWriters: everWriters(sorted, founders, uses),
    ...judgement.view(),
  };
}

type Person = { readonly role: PersonRole; readonly name: string };

class Judgement {
  readonly #invited: readonly string[];
  readonly #admins: ReadonlySet<string>;
  readonly #nodes = new Map<NodeId, Admitted>();
  readonly #people = new Map<string, Person>();
  readonly #revoked = new Map<string, { cutOffMs: number }>();
  readonly #invites = new Map<string, InviteStanding>();
  /** Of people, in time order: from when on they may write specs, or may not. */
  readonly #writes = new Map<string, { readonly atMs: number; readonly may: boolean }[]>();
  readonly #usedBy = new Set<string>();
  /** When an admin last spoke of a key. */
  readonly #spokenOf = new Map<string, number>();

  constructor(
    sorted: readonly SignedFact[],
    uses: readonly InviteUse[],
    founders: readonly string[],
    invited: readonly string[],
  ) {
    this.#invited = invited;
    this.#admins = this.#settleAdmins(sorted, [...founders, ...invited]);
    for (const founder of founders) this.#people.set(founder, { role: "admin", name: "" });
    for (const signed of sorted) if (this.#counts(signed)) this.#take(signed);
    walkUses(
      uses,
      (node) => this.#nodes.get(node as NodeId)?.role === "peer",
      (use) => this.#use(use),
    );
  }

  /** Admins whom an invite made so. */
  invitedAdmins(): string[] {
    return [...this.#usedBy].filter((id) => this.#people.get(id)?.role === "admin").sort();
  }

  /** Whether these are the invited admins whose facts were counted. */
  heard(invited: readonly string[]): boolean {
    return (
      invited.length === this.#invited.length && invited.every((id, at) => id === this.#invited[at])
    );
  }

  view(): Omit<TrustView, "mesh" | "name" | "everWriters"> {
    for (const subject of this.#revoked.keys()) {
      this.#nodes.delete(subject as NodeId);
      this.#people.delete(subject);
    }
    return {
      nodes: this.#nodes,
      people: this.#people,
      invites: this.#invites,
      revoked: this.#revoked,
      mayWrite: (writer, timeMs) => this.#mayWrite(writer, timeMs),
      roleOf: (id) => this.#nodes.get(id as NodeId)?.role ?? this.#people.get(id)?.role,
    };
  }

  /** Settles the revocations too: neither is known without the other. */
  #settleAdmins(sorted: readonly SignedFact[], first: readonly string[]): ReadonlySet<string> {
    const making = Map.groupBy(sorted.filter(makesAdmin), ({ issuer }) => issuer);
    let admins = this.#adminsMade(first, making);
    for (const { fact, issuer, timeMs } of sorted) {
      if (fact.kind !== "revoke" || this.#isCutOff(issuer, timeMs)) continue;
      // Anyone may take itself out: that is how a node leaves.
      if (!admins.has(issuer) && fact.subject !== issuer) continue;
      const known = this.#revoked.get(fact.subject)?.cutOffMs ?? Number.POSITIVE_INFINITY;
      this.#revoked.set(fact.subject, { cutOffMs: Math.min(known, fact.cutOffMs) });
      if (admins.has(fact.subject)) admins = this.#adminsMade(first, making);
    }
    return admins;
  }

  /** Whoever is an admin by the word of one who was not cut off by then, revoked ones included. */
  #adminsMade(
    first: readonly string[],
    making: ReadonlyMap<string, readonly SignedFact[]>,
  ): ReadonlySet<string> {
    const admins = new Set(first);
    // A set that grows while it is walked is walked to its end.
    for (const admin of admins) {
      for (const { fact, timeMs } of making.get(admin) ?? []) {
        if ("subject" in fact && !this.#isCutOff(admin, timeMs)) admins.add(fact.subject);
      }
    }
    return admins;
  }

  #isCutOff(key: string, timeMs: number): boolean {
    const cutOff = this.#revoked.get(key);
    return cutOff !== undefined && timeMs >= cutOff.cutOffMs;
  }

  #counts({ issuer, timeMs }: SignedFact): boolean {
    return this.#admins.has(issuer) && !this.#isCutOff(issuer, timeMs);
  }

  #take({ fact, timeMs }: SignedFact): void {
    if (fact.kind === "grant" || (fact.kind === "admit" && fact.acceptance === null)) {
      this.#admit(fact.subject, fact.role, fact.name, timeMs);
      this.#spokenOf.set(fact.subject, timeMs);
    }
    if (fact.kind === "invite" && !this.#invites.has(fact.invite)) {
      const { role, expiresAtMs, uses } = fact;
      this.#invites.set(fact.invite, { role, expiresAtMs, uses, usesLeft: uses });
    }
  }

  #use({ invite: key, subject, role, name, acceptance }: InviteUse): void {
    const invite = this.#invites.get(key);
    const { node, timeMs } = acceptance;
    if (invite === undefined || invite.role !== role || timeMs > invite.expiresAtMs) return;
    if (this.#isCutOff(key, timeMs) || this.#isCutOff(node, timeMs)) return;
    // An admin's later word stands; the invite was used all the same.
    const isOld = timeMs < (this.#spokenOf.get(subject) ?? Number.NEGATIVE_INFINITY);
    if (invite.usesLeft === 0 || (!isOld && !this.#raises(subject, role))) return;
    this.#invites.set(key, { ...invite, usesLeft: invite.usesLeft - 1 });
    if (isOld) {
      if (!isNodeRole(role)) this.#mayWriteFrom(subject, timeMs, role);
      return;
    }
    this.#usedBy.add(subject);
    this.#admit(subject, role, name, timeMs);
  }

  #raises(subject: string, role: Role): boolean {
    const roles = [this.#nodes.get(subject as NodeId)?.role, this.#people.get(subject)?.role];
    return roles.every((own) => own === undefined || isRaise(own, role));
  }

  #admit(subject: string, role: Role, name: string, atMs: number): void {
    if (isNodeRole(role)) {
      this.#nodes.set(subject as NodeId, { role, name, admittedAtMs: atMs });
      return;
    }
    const kept = this.#admins.has(subject) ? "admin" : role;
    this.#people.set(subject, { role: kept, name });
    this.#mayWriteFrom(subject, atMs, kept);
  }

  #mayWriteFrom(subject: string, atMs: number, role: PersonRole): void {
    const writes = this.#writes.get(subject) ?? [];
    const after = writes.findLastIndex((one) => one.atMs <= atMs) + 1;
    writes.splice(after, 0, { atMs, may: role !== "viewer" });
    this.#writes.set(subject, writes);
  }

  /** Before a person had a role it may what it might first: its clock may have been behind. */
  #mayWrite(writer: string, timeMs: number): boolean {
    if (this.#isCutOff(writer, timeMs)) return false;
    if (this.#admins.has(writer)) return true;
    const writes = this.#writes.get(writer) ?? [];
    return (writes.findLast(({ atMs }) => atMs <= timeMs) ?? writes[0])?.may ?? false;
  }
}

function makesAdmin({ fact }: SignedFact): boolean {
  if (fact.kind === "grant") return fact.role === "admin";
  return fact.kind === "admit" && fact.acceptance === null && fact.role === "admin";
}
