/**
 * Facts of the trust log: what admins, and those they invited, say about keys. Each is sealed by
 * its issuer and never changes. What a set of facts means is trust/log.ts's business.
 *
 * An admission by invite carries three keys' words: the invite's key (the seal: whoever held the
 * token wanted this), the new key's consent, and the accepting node's countersignature with its
 * clock, so that an expired invite cannot be used by dating the admission back.
 */

import { encode } from "../crdt/codec.ts";
import { hex, sha256 } from "../crdt/hash.ts";
import {
  isRecord,
  isWhole,
  messageOf,
  open,
  type Signer,
  seal,
  type Verify,
} from "../crdt/signed.ts";

export type NodeRole = "peer" | "runner";
export type PersonRole = "admin" | "operator" | "viewer";
export type Role = NodeRole | PersonRole;

export type Fact = Readonly<
  | { kind: "genesis"; name: string; admins: readonly string[]; nonce: Uint8Array }
  | { kind: "grant"; subject: string; role: PersonRole; name: string }
  | { kind: "invite"; invite: string; role: Role; expiresAtMs: number; uses: number }
  | {
      kind: "admit";
      subject: string;
      role: Role;
      name: string;
      /** Null when an admin admits without an invite. */
      acceptance: Acceptance | null;
    }
  | { kind: "revoke"; subject: string; cutOffMs: number }
>;

/** The accepting node's word: who used the invite, and when by that node's clock. */
export type Acceptance = {
  readonly node: string;
  readonly timeMs: number;
  readonly signature: Uint8Array;
};

export type SignedFact = {
  /** Hex SHA-256 of the bytes; a genesis fact's is the mesh id. */
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly issuer: string;
  /** Unix ms by the issuer's clock. */
  readonly timeMs: number;
  readonly fact: Fact;
};

const context = "shoal/fact/1";
const acceptanceContext = "shoal/acceptance/1";
export const factBytesMax = 16 * 1024;
const roles: ReadonlySet<string> = new Set(["peer", "runner", "admin", "operator", "viewer"]);

/** `mesh` is "" in a genesis fact, which is what names the mesh. */
export function writeFact(mesh: string, fact: Fact, timeMs: number, signer: Signer): SignedFact {
  const bytes = seal(signer, context, { mesh, timeMs, fact });
  return { id: hex(sha256(bytes)), bytes, issuer: signer.id, timeMs, fact };
}

/** Undefined when malformed, wrongly signed, or of another mesh. */
export function openFact(bytes: Uint8Array, mesh: string, verify: Verify): SignedFact | undefined {
  const opened = open(bytes, context, verify, factBytesMax);
  if (opened === undefined || !isRecord(opened.payload)) return undefined;
  const { timeMs, fact: value } = opened.payload;
  const fact = readFact(value);
  if (fact === undefined || !isWhole(timeMs)) return undefined;
  const id = hex(sha256(bytes));
  const belongs = fact.kind === "genesis" ? id === mesh : opened.payload.mesh === mesh;
  return belongs ? { id, bytes, issuer: opened.signer, timeMs, fact } : undefined;
}

function readFact(value: unknown): Fact | undefined {
  if (!isRecord(value)) return undefined;
  switch (value.kind) {
    case "genesis":
      return readGenesis(value);
    case "grant":
      return readGrant(value);
    case "invite":
      return readInvite(value);
    case "admit":
      return readAdmit(value);
    case "revoke": {
      const { subject, cutOffMs } = value;
      if (!isKey(subject) || !isWhole(cutOffMs)) return undefined;
      return { kind: "revoke", subject, cutOffMs };
    }
    default:
      return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function readGenesis({ name, admins, nonce }: Fields): Fact | undefined {
  if (!isShort(name) || !Array.isArray(admins) || !admins.every(isKey)) return undefined;
  if (admins.length === 0 || admins.length > 64 || !(nonce instanceof Uint8Array)) return undefined;
  return { kind: "genesis", name, admins, nonce };
}

function readGrant({ subject, role, name }: Fields): Fact | undefined {
  if (!isKey(subject) || !isShort(name)) return undefined;
  if (role !== "admin" && role !== "operator" && role !== "viewer") return undefined;
  return { kind: "grant", subject, role, name };
}

function readInvite({ invite, role, expiresAtMs, uses }: Fields): Fact | undefined {
  if (!isKey(invite) || !isRole(role) || !isWhole(expiresAtMs) || !isWhole(uses)) return undefined;
  return { kind: "invite", invite, role, expiresAtMs, uses };
}

function readAdmit({ subject, role, name, acceptance }: Fields): Fact | undefined {
  if (!isKey(subject) || !isRole(role) || !isShort(name)) return undefined;
  if (acceptance === null) return { kind: "admit", subject, role, name, acceptance };
  if (!isRecord(acceptance)) return undefined;
  const { node, timeMs, signature } = acceptance;
  if (!isKey(node) || !isWhole(timeMs) || !(signature instanceof Uint8Array)) return undefined;
  return { kind: "admit", subject, role, name, acceptance: { node, timeMs, signature } };
}

/** The accepting node signs who used which invite when. */
export function accept(
  mesh: string,
  use: { readonly invite: string; readonly subject: string },
  timeMs: number,
  node: Signer,
): Acceptance {
  const signature = node.sign(acceptanceMessage(mesh, use, timeMs, node.id));
  return { node: node.id, timeMs, signature };
}

export function isAccepted(
  mesh: string,
  use: { readonly invite: string; readonly subject: string },
  { node, timeMs, signature }: Acceptance,
  verify: Verify,
): boolean {
  return verify(node, acceptanceMessage(mesh, use, timeMs, node), signature);
}

function acceptanceMessage(
  mesh: string,
  { invite, subject }: { readonly invite: string; readonly subject: string },
  timeMs: number,
  node: string,
): Uint8Array {
  return messageOf(acceptanceContext, encode([mesh, invite, subject, timeMs, node]));
}

export function isNodeRole(role: Role): role is NodeRole {
  return role === "peer" || role === "runner";
}

const ranks: Readonly<Record<Role, number>> = {
  runner: 1,
  peer: 2,
  viewer: 1,
  operator: 2,
  admin: 3,
};

/** Whether `role` is more than `own`: among nodes or among people, never across. */
export function isRaise(own: Role, role: Role): boolean {
  return isNodeRole(own) === isNodeRole(role) && ranks[role] > ranks[own];
}

export function isRole(value: unknown): value is Role {
  return typeof value === "string" && roles.has(value);
}

function isKey(value: unknown): value is string {
  return typeof value === "string" && value.length >= 40 && value.length <= 64;
}

function isShort(value: unknown): value is string {
  return typeof value === "string" && value.length <= 256;
}
