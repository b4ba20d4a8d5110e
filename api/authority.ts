/**
 * Who asks, and whether they may. Pure.
 *
 * The Unix socket belongs to the local root: whoever can open it may do everything to this node,
 * signed or not. Everybody else signs each request with a key whose role stands in the trust log,
 * whichever node brings the request here. A signature over the socket gives no more rights; it is
 * what lets the request be passed on to other nodes.
 */

import { sha256 } from "../crdt/hash.ts";
import type { MeshId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { Role } from "../trust/facts.ts";
import { verify } from "../trust/identity.ts";
import type { TrustView } from "../trust/log.ts";
import { verifyRequest } from "../trust/request.ts";
import type { Nonces } from "./nonces.ts";
import type { NeededRole } from "./routes.ts";

/** `from` is the peer id that noise has proven: the person's own, or a node's that passes on. */
export type Origin = { readonly kind: "local" } | { readonly kind: "link"; readonly from: string };

export type Asked = {
  readonly origin: Origin;
  readonly method: string;
  /** With its query, as it was signed. */
  readonly path: string;
  /** The `authorization` header. */
  readonly authorization: string | undefined;
  readonly body: Uint8Array;
};

export type Caller = {
  readonly origin: Origin;
  /** Undefined when the request is not signed. */
  readonly principal: string | undefined;
};

const rank: Readonly<Record<NeededRole | Role, number>> = {
  none: 0,
  peer: 0,
  runner: 0,
  viewer: 1,
  operator: 2,
  admin: 3,
};

/** Checks the signature, not the role. A nonce is used up only by those who have a say here. */
export function identify(
  asked: Asked,
  mesh: MeshId,
  trust: TrustView,
  nonces: Nonces,
  nowMs: number,
): Caller | Problem {
  const { origin, method, path, authorization, body } = asked;
  if (authorization === undefined) return { origin, principal: undefined };
  const [scheme, token, ...more] = authorization.split(" ");
  if (scheme !== "Shoal" || token === undefined || more.length > 0) {
    return { code: "signature-invalid", detail: 'the header is not "authorization: Shoal TOKEN"' };
  }
  const expected = { mesh, method, path, bodyHash: sha256(body) };
  const verified = verifyRequest(token, expected, nowMs, verify);
  if ("code" in verified) return verified;
  const { principal, nonce } = verified;
  if (origin.kind === "link" && trust.roleOf(principal) === undefined) {
    return { code: "not-authorised", principal, needs: "viewer" };
  }
  switch (nonces.use(principal, nonce, nowMs)) {
    case "used":
      return { code: "signature-invalid", detail: "the request's token was used before" };
    case "full":
      return { code: "overloaded", detail: "too many signed requests within two minutes" };
    case "fresh":
      return { origin, principal };
  }
}

/** Undefined when the caller may. */
export function forbid(
  { origin, principal }: Caller,
  needs: NeededRole,
  trust: TrustView,
): Problem | undefined {
  if (origin.kind === "local" || needs === "none") return undefined;
  if (principal === undefined) {
    return { code: "signature-invalid", detail: "a request over a link must be signed" };
  }
  const role = trust.roleOf(principal);
  const isEnough = role !== undefined && rank[role] >= rank[needs];
  return isEnough ? undefined : { code: "not-authorised", principal, needs };
}
