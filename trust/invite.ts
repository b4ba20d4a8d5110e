/**
 * Invites. The token carries the mesh's id and secret, addresses of peers, and the seed of a key
 * made for this invite: whoever holds the token can sign with that key, and the trust log says
 * what it is good for. The joiner learns the mesh id from the token, so it knows whom it joins.
 */

import { toString as toText } from "uint8arrays/to-string";
import { decode, encode } from "../crdt/codec.ts";
import { isRecord, isWhole, open, type Signer, seal, type Verify } from "../crdt/signed.ts";
import type { MeshId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import { accept, isRaise, isRole, type Role, writeFact } from "./facts.ts";
import { identityFromSeed } from "./identity.ts";
import type { TrustLog } from "./log.ts";

export type InviteToken = {
  readonly mesh: MeshId;
  readonly name: string;
  /** 32 bytes: without it no handshake with the mesh completes. */
  readonly secret: Uint8Array;
  /** 32 bytes. */
  readonly inviteSeed: Uint8Array;
  /** Multiaddrs of peers, with their ids. */
  readonly addresses: readonly string[];
  readonly role: Role;
  readonly expiresAtMs: number;
};

const tokenPrefix = "shoal1-";
const tokenCharactersMax = 8192;
/** ECMA-262, "Time Values and Time Range": no date can be shown past it. */
const lastDateMs = 8.64e15;

/** The fact to be written to the mesh, and the token to be given away. */
export function mintInvite(
  token: InviteToken,
  uses: number,
  nowMs: number,
  admin: Signer,
): { readonly fact: Uint8Array; readonly text: string } {
  const invite = identityFromSeed(token.inviteSeed).id;
  const { mesh, role, expiresAtMs } = token;
  const fact = writeFact(mesh, { kind: "invite", invite, role, expiresAtMs, uses }, nowMs, admin);
  return { fact: fact.bytes, text: tokenPrefix + toText(encode(token), "base64url") };
}

export function parseInvite(text: string): InviteToken | Problem {
  const trimmed = text.trim();
  const malformed = (detail: string): Problem => ({ code: "invite-malformed", detail });
  if (!trimmed.startsWith(tokenPrefix)) return malformed(`it does not begin with ${tokenPrefix}`);
  if (trimmed.length > tokenCharactersMax) return malformed("it is far too long");
  const value = decodeToken(trimmed.slice(tokenPrefix.length));
  return value ?? malformed("it is cut short or mistyped");
}

function decodeToken(text: string): InviteToken | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  // Buffer is lenient where fromString throws: a token cut short is a value, not an exception.
  const value = decode(new Uint8Array(Buffer.from(text, "base64url")));
  if (!isRecord(value)) return undefined;
  const { mesh, name, secret, inviteSeed, addresses, role, expiresAtMs } = value;
  if (typeof mesh !== "string" || !/^[0-9a-f]{64}$/.test(mesh)) return undefined;
  if (typeof name !== "string" || !isRole(role)) return undefined;
  if (!isKeyBytes(secret) || !isKeyBytes(inviteSeed)) return undefined;
  if (!isWhole(expiresAtMs) || expiresAtMs > lastDateMs) return undefined;
  if (!Array.isArray(addresses) || !addresses.every((one) => typeof one === "string")) {
    return undefined;
  }
  const id = mesh as MeshId;
  return { mesh: id, name, secret, inviteSeed, addresses, role, expiresAtMs };
}

function isKeyBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

const requestContext = "shoal/admission/1";

/** The new key's consent, sealed; goes to a peer over the join protocol. */
export function requestAdmission(token: InviteToken, subject: Signer, name: string): Uint8Array {
  const invite = identityFromSeed(token.inviteSeed);
  const wish = seal(subject, requestContext, { mesh: token.mesh, invite: invite.id, name });
  return encode({ wish, inviteSeed: token.inviteSeed, role: token.role });
}

export type Verdict =
  | { readonly kind: "admitted"; readonly subject: string; readonly fact: Uint8Array }
  | { readonly kind: "refused"; readonly problem: Problem };

/**
 * A peer's side. It is given the invite's seed, within the encrypted stream, and so can seal the
 * admission with the invite's key and countersign it with its own. `nowMs` is the peer's clock.
 */
export function judgeAdmission(
  request: unknown,
  log: TrustLog,
  acceptor: Signer,
  nowMs: number,
  verify: Verify,
): Verdict {
  const refuse = (problem: Problem): Verdict => ({ kind: "refused", problem });
  const wish = readRequest(request, log.view().mesh, verify);
  if (wish === undefined) {
    return refuse({ code: "request-invalid", detail: "not a request for admission" });
  }
  const view = log.view();
  const invite = view.invites.get(wish.invite.id);
  if (invite === undefined || view.revoked.has(wish.invite.id)) {
    return refuse({ code: "invite-unknown", mesh: view.name });
  }
  if (view.revoked.has(wish.subject)) return refuse({ code: "node-revoked", node: wish.subject });
  if (nowMs > invite.expiresAtMs) {
    const expiredAt = new Date(invite.expiresAtMs).toISOString();
    return refuse({ code: "invite-expired", expiredAt });
  }
  const role = view.roleOf(wish.subject);
  const known = role === invite.role;
  // The log would not count it: an invite only raises.
  if (role !== undefined && !known && !isRaise(role, invite.role)) {
    return refuse({ code: "request-invalid", detail: `this key is ${role} already` });
  }
  if (invite.usesLeft === 0 && !known) return refuse({ code: "invite-used-up", uses: invite.uses });
  const use = { invite: wish.invite.id, subject: wish.subject };
  const acceptance = accept(view.mesh, use, nowMs, acceptor);
  const admit = {
    kind: "admit",
    subject: wish.subject,
    role: invite.role,
    name: wish.name,
  } as const;
  const fact = writeFact(view.mesh, { ...admit, acceptance }, nowMs, wish.invite);
  return { kind: "admitted", subject: wish.subject, fact: fact.bytes };
}

function readRequest(request: unknown, mesh: MeshId, verify: Verify) {
  if (!isRecord(request)) return undefined;
  const { wish, inviteSeed } = request;
  if (!(wish instanceof Uint8Array) || !isKeyBytes(inviteSeed)) return undefined;
  const opened = open(wish, requestContext, verify, 4096);
  if (opened === undefined || !isRecord(opened.payload)) return undefined;
  const { name, invite: named } = opened.payload;
  const invite = identityFromSeed(inviteSeed);
  if (opened.payload.mesh !== mesh || named !== invite.id) return undefined;
  if (typeof name !== "string" || name.length > 256) return undefined;
  return { subject: opened.signer, name, invite };
}
