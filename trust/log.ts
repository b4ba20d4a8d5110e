/**
 * The trust log: a grow-only set of signed facts, and what the set means. Meaning depends on the
 * set alone, never on the order of arrival, so nodes with equal facts admit equally.
 *
 * Rules: genesis names the first admins; a fact counts when its issuer was an admin when it was
 * issued; an admission by invite counts for the first `uses` of the invite, by acceptance time;
 * a revocation by an admin or by its subject wins over everything the subject was granted, and
 * cuts off what the subject signed after the cut-off.
 *
 * Begin reading at `interpret`.
 */

import { encode } from "../crdt/codec.ts";
import { sha256 } from "../crdt/hash.ts";
import type { Verify } from "../crdt/signed.ts";
import type { MeshId, NodeId } from "../model/ids.ts";
import {
  isAccepted,
  isNodeRole,
  openFact,
  type NodeRole,
  type PersonRole,
  type Role,
  type SignedFact,
} from "./facts.ts";

export type TrustView = {
  readonly mesh: MeshId;
  readonly name: string;
  /** Admitted and not revoked. */
  readonly nodes: ReadonlyMap<NodeId, Admitted>;
  readonly people: ReadonlyMap<string, { readonly role: PersonRole; readonly name: string }>;
  /** Expired and used-up ones included. */
  readonly invites: ReadonlyMap<string, InviteStanding>;
  readonly revoked: ReadonlyMap<string, { readonly cutOffMs: number }>;
  /** Keys that ever were operator or admin: only grows. */
  readonly everWriters: ReadonlySet<string>;
  /** Whether what the key signed at that time may change specs. */
  mayWrite(writer: string, timeMs: number): boolean;
  roleOf(id: string): Role | undefined;
};

export type Admitted = {
  readonly role: NodeRole;
  readonly name: string;
  readonly admittedAtMs: number;
};

export type InviteStanding = {
  readonly role: Role;
  readonly expiresAtMs: number;
  readonly uses: number;
  readonly usesLeft: number;
};

/** Far more facts than a mesh of a thousand nodes makes in years; a flood stops here. */
const factsMax = 100_000;

export class TrustLog {
  readonly #mesh: MeshId;
  readonly #verify: Verify;
  readonly #facts = new Map<string, SignedFact>();
  #entries: Map<string, Uint8Array> = new Map();
  #view: TrustView | undefined;
  #digest: Uint8Array | undefined;

  constructor(mesh: MeshId, verify: Verify) {
    this.#mesh = mesh;
    this.#verify = verify;
  }

  add(bytes: Uint8Array): "added" | "known" | "invalid" {
    const fact = openFact(bytes, this.#mesh, this.#verify);
    if (fact === undefined) return "invalid";
    if (this.#facts.has(fact.id)) return "known";
    if (this.#facts.size >= factsMax) return "invalid";
    this.#facts.set(fact.id, fact);
    this.#entries.set(fact.id, bytes);
    this.#view = undefined;
    this.#digest = undefined;
    return "added";
  }

  entries(): ReadonlyMap<string, Uint8Array> {
    return this.#entries;
  }

  facts(): readonly SignedFact[] {
    return [...this.#facts.values()];
  }

  digest(): Uint8Array {
    this.#digest ??= sha256(encode([...this.#facts.keys()].sort()));
    return this.#digest;
  }

  view(): TrustView {
    this.#view ??= interpret(this.#mesh, this.facts(), this.#verify);
    return this.#view;
  }
}

/** Pure: equal sets of facts give equal views. */
export function interpret(
  mesh: MeshId,
  facts: readonly SignedFact[],
  verify: Verify,
): TrustView {
  const sorted = [...facts].sort(
    (left, right) => left.timeMs - right.timeMs || (left.id < right.id ? -1 : 1),
  );
  const genesis = sorted.find(({ fact }) => fact.kind === "genesis");
  const admins = new Set(genesis?.fact.kind === "genesis" ? genesis.fact.admins : []);
  const revoked = new Map<string, { cutOffMs: number }>();
  const people = new Map<string, { role: PersonRole; name: string }>();
  for (const admin of admins) people.set(admin, { role: "admin", name: "" });
  settleAdmins(sorted, admins, revoked);
  const counts = ({ issuer, timeMs }: SignedFact): boolean =>
    admins.has(issuer) && timeMs < (revoked.get(issuer)?.cutOffMs ?? Number.POSITIVE_INFINITY);
  const invites = readInvites(sorted.filter(counts));
  const nodes = new Map<NodeId, Admitted>();
  const everWriters = new Set<string>(admins);
  const admit = (subject: string, role: Role, name: string, atMs: number): void => {
    if (isNodeRole(role)) nodes.set(subject as NodeId, { role, name, admittedAtMs: atMs });
    else people.set(subject, { role, name });
    if (role === "admin" || role === "operator") everWriters.add(subject);
  };
  for (const signed of sorted) {
    const { fact, timeMs } = signed;
    if (fact.kind === "grant" && counts(signed)) admit(fact.subject, fact.role, fact.name, timeMs);
    if (fact.kind === "admit" && fact.acceptance === null && counts(signed)) {
      admit(fact.subject, fact.role, fact.name, timeMs);
    }
  }
  useInvites(mesh, sorted, invites, nodes, revoked, verify, admit);
  for (const subject of revoked.keys()) {
    nodes.delete(subject as NodeId);
    people.delete(subject);
  }
  const name = genesis?.fact.kind === "genesis" ? genesis.fact.name : "";
  const standing = { nodes, people, invites, revoked, everWriters };
  return { mesh, name, ...standing, ...questions(nodes, people, revoked, everWriters) };
}

/** Admins make admins; whoever an admin revokes is out, from the cut-off on. */
function settleAdmins(
  sorted: readonly SignedFact[],
  admins: Set<string>,
  revoked: Map<string, { cutOffMs: number }>,
): void {
  for (const { fact, issuer, timeMs } of sorted) {
    const cutOffMs = revoked.get(issuer)?.cutOffMs ?? Number.POSITIVE_INFINITY;
    // Anyone may take itself out: that is how a node leaves.
    const resigns = fact.kind === "revoke" && fact.subject === issuer;
    if ((!admins.has(issuer) && !resigns) || timeMs >= cutOffMs) continue;
    if (fact.kind === "grant" && fact.role === "admin") admins.add(fact.subject);
    if (fact.kind === "admit" && fact.acceptance === null && fact.role === "admin") {
      admins.add(fact.subject);
    }
    if (fact.kind !== "revoke") continue;
    const known = revoked.get(fact.subject)?.cutOffMs ?? Number.POSITIVE_INFINITY;
    revoked.set(fact.subject, { cutOffMs: Math.min(known, fact.cutOffMs) });
  }
}

function readInvites(counted: readonly SignedFact[]): Map<string, InviteStanding> {
  const invites = new Map<string, InviteStanding>();
  for (const { fact } of counted) {
    if (fact.kind !== "invite" || invites.has(fact.invite)) continue;
    const { role, expiresAtMs, uses } = fact;
    invites.set(fact.invite, { role, expiresAtMs, uses, usesLeft: uses });
  }
  return invites;
}

/** In order of acceptance; a node that accepts must itself be admitted as a peer. */
function useInvites(
  mesh: MeshId,
  sorted: readonly SignedFact[],
  invites: Map<string, InviteStanding>,
  nodes: ReadonlyMap<NodeId, Admitted>,
  revoked: ReadonlyMap<string, { readonly cutOffMs: number }>,
  verify: Verify,
  admit: (subject: string, role: Role, name: string, atMs: number) => void,
): void {
  const uses = sorted
    .map((signed) => ({ signed, atMs: acceptedAtMs(signed) }))
    .filter(({ atMs }) => atMs !== undefined)
    .sort((left, right) => (left.atMs ?? 0) - (right.atMs ?? 0) || (left.signed.id < right.signed.id ? -1 : 1));
  const users = new Set<string>();
  for (const { signed } of uses) {
    const { fact, issuer } = signed;
    if (fact.kind !== "admit" || fact.acceptance === null) continue;
    const invite = invites.get(issuer);
    const { acceptance, subject } = fact;
    if (invite === undefined || invite.role !== fact.role) continue;
    const again = users.has(`${issuer} ${subject}`);
    if (!again && invite.usesLeft === 0) continue;
    if (acceptance.timeMs > invite.expiresAtMs) continue;
    const acceptor = nodes.get(acceptance.node as NodeId);
    const cutOffMs = revoked.get(acceptance.node)?.cutOffMs ?? Number.POSITIVE_INFINITY;
    if (acceptor?.role !== "peer" || acceptance.timeMs >= cutOffMs) continue;
    if (!isAccepted(mesh, { invite: issuer, subject }, acceptance, verify)) continue;
    users.add(`${issuer} ${subject}`);
    if (!again) invites.set(issuer, { ...invite, usesLeft: invite.usesLeft - 1 });
    admit(subject, fact.role, fact.name, acceptance.timeMs);
  }
}

function acceptedAtMs({ fact }: SignedFact): number | undefined {
  return fact.kind === "admit" ? fact.acceptance?.timeMs : undefined;
}

function questions(
  nodes: ReadonlyMap<NodeId, Admitted>,
  people: ReadonlyMap<string, { readonly role: PersonRole }>,
  revoked: ReadonlyMap<string, { readonly cutOffMs: number }>,
  everWriters: ReadonlySet<string>,
): Pick<TrustView, "mayWrite" | "roleOf"> {
  return {
    mayWrite: (writer, timeMs) =>
      everWriters.has(writer) &&
      timeMs < (revoked.get(writer)?.cutOffMs ?? Number.POSITIVE_INFINITY),
    roleOf: (id) => nodes.get(id as NodeId)?.role ?? people.get(id)?.role,
  };
}
