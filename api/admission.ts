/** A person joins a mesh by invite: the mesh's answer is checked, not believed. A door. */

import { askAdmission } from "../link/join.ts";
import type { MeshId } from "../model/ids.ts";
import { OperationError } from "../model/problem.ts";
import { type InviteToken, type PersonKey, parseInvite, readTrust } from "./person.ts";

/** As a person's context keeps it. */
export type PersonAdmission = {
  readonly mesh: MeshId;
  readonly name: string;
  readonly secret: Uint8Array;
  /** Addresses of peers, with their ids; the one that answered first. */
  readonly peers: readonly string[];
  readonly role: string;
};

/** A joiner tries several addresses in turn. */
const joinMsMax = 30_000;

export async function joinAsPerson(
  text: string,
  key: PersonKey,
  name: string,
): Promise<PersonAdmission> {
  const token = readToken(text);
  const signal = AbortSignal.timeout(joinMsMax);
  const { facts, peer } = await askAdmission({ token, subject: key, name, signal });
  const role = readTrust(token.mesh, facts).roleOf(key.id);
  if (role === undefined) {
    const detail = `${peer} answered, but its facts do not admit this key`;
    throw new OperationError({ code: "signature-invalid", detail });
  }
  const answered = (address: string): number => Number(address.endsWith(`/p2p/${peer}`));
  const peers = token.addresses.toSorted((left, right) => answered(right) - answered(left));
  return { mesh: token.mesh, name: token.name, secret: token.secret, peers, role };
}

function readToken(text: string): InviteToken {
  const token = parseInvite(text);
  if ("code" in token) throw new OperationError(token);
  if (token.role === "peer" || token.role === "runner") {
    const detail = `is for a node (${token.role}): use \`shoal join TOKEN\` there`;
    throw new OperationError({ code: "argument-invalid", argument: "TOKEN", detail });
  }
  return token;
}
