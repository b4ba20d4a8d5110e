/**
 * What a person's side needs of trust/: keys, invites, signatures. cli/ talks only through api/,
 * so it comes this way. Pure.
 */

import { fromString } from "uint8arrays/from-string";
import { toString as toText } from "uint8arrays/to-string";
import type { MeshId } from "../model/ids.ts";
import { type Fact, writeFact } from "../trust/facts.ts";
import { type Identity, identityFromSeed, verify } from "../trust/identity.ts";
import { TrustLog } from "../trust/log.ts";
import type { TrustView } from "../trust/view.ts";

export { type Draft, signSpec } from "../trust/authoring.ts";
export {
  backupBytesMax,
  backupVersion,
  readBackup,
  writeBackup,
} from "../trust/backup.ts";
export type { PersonRole, Role } from "../trust/facts.ts";
export { type InviteToken, mintInvite, parseInvite } from "../trust/invite.ts";
export { prepareRestoration, printRestoration } from "../trust/restoration.ts";
export { boxRandomBytes } from "../trust/sealed-box.ts";
export type { TrustView } from "../trust/view.ts";

/** A person's key: 32 bytes of seed, named by a peer id. */
export type PersonKey = Identity;

export { identityFromSeed as personKey };

/** What the facts of a mesh say about people, nodes and invites. Invalid ones are left out. */
export function readTrust(mesh: MeshId, facts: readonly Uint8Array[]): TrustView {
  const log = new TrustLog(mesh, verify);
  for (const fact of facts) log.add(fact);
  return log.view();
}

/** The node or person is out from now on, for good. */
export function writeRevocation(
  mesh: MeshId,
  subject: string,
  nowMs: number,
  admin: PersonKey,
): Uint8Array {
  const fact: Fact = { kind: "revoke", subject, cutOffMs: nowMs };
  return writeFact(mesh, fact, nowMs, admin).bytes;
}

export function toBase64(bytes: Uint8Array): string {
  return toText(bytes, "base64pad");
}

/** Undefined when the text is not base64 of exactly that many bytes. */
export function fromBase64(text: string, length: number): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = fromString(text.replace(/=+$/, ""), "base64");
  return bytes.length === length ? bytes : undefined;
}
