/**
 * What convinces a node that it was removed, for when it comes back and nobody talks to it: who was
 * revoked, and whatever makes those admins and peers on whose word that rests. Pure.
 */

import type { NodeId } from "../model/ids.ts";
import { isNodeRole, type SignedFact } from "../trust/facts.ts";
import type { TrustLog } from "../trust/log.ts";
import { pushOf } from "./exchange.ts";
import { writeFrame } from "./frames.ts";

/** Frames to be sent in this order. */
export function farewell(trust: TrustLog): Uint8Array[] {
  const facts = trust.facts().filter(bearsOnTrust);
  const bytes = facts.map((fact) => fact.bytes);
  return pushOf([], [], bytes).map(writeFrame);
}

/** Whether the key was a node's and is revoked. People learn by being refused. */
export function isRemovedNode(trust: TrustLog, id: string): id is NodeId {
  if (!trust.view().revoked.has(id)) return false;
  return trust.facts().some(({ fact }) => {
    return fact.kind === "admit" && fact.subject === id && isNodeRole(fact.role);
  });
}

function bearsOnTrust({ fact }: SignedFact): boolean {
  return !("role" in fact) || fact.role === "admin" || fact.role === "peer";
}
