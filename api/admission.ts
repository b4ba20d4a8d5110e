/** A person joins a mesh by invite: the mesh's answer is checked, not believed. A door. */

import { askAdmission } from "../link/join.ts";
import type { MeshId } from "../model/ids.ts";
import { OperationError } from "../model/problem.ts";
import { broken } from "./exchange.ts";
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
  const { facts, peer } = await askPeers(token, key, name);
  const role = readTrust(token.mesh, facts).roleOf(key.id);
  if (role === undefined) {
    const detail = `${peer} answered, but its facts do not admit this key`;
    throw new OperationError({ code: "signature-invalid", detail });
  }
  const peers = [peer, ...token.addresses.filter((address) => address !== peer)];
  return { mesh: token.mesh, name: token.name, secret: token.secret, peers, role };
}

async function askPeers(token: InviteToken, subject: PersonKey, name: string) {
  try {
    const signal = AbortSignal.timeout(joinMsMax);
    return await askAdmission({ token, subject, name, signal });
  } catch (error) {
    throw broken(error, "any peer of the invite");
  }
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
