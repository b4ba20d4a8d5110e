/** What a set of facts says: who is in, as what, and who may what. */

import type { MeshId, NodeId } from "../model/ids.ts";
import type { NodeRole, PersonRole, Role } from "./facts.ts";

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
