/** The birth of a mesh: the fact that names its first admins and by its hash the mesh itself. */

import type { Signer } from "../crdt/signed.ts";
import type { MeshId } from "../model/ids.ts";
import { writeFact } from "./facts.ts";

export type Genesis = {
  readonly name: string;
  /** Signs genesis and the first admission; a person's key, or one used this once. */
  readonly founder: Signer;
  /** Peer ids of people who are admins from the start. The founder need not be among them. */
  readonly admins: readonly string[];
  readonly node: string;
  readonly nodeName: string;
  /** 32 random bytes: two meshes of one name and founder are still two. */
  readonly nonce: Uint8Array;
  readonly timeMs: number;
};

/**
 * The founder is listed as an admin, admits the first node, and, unless it is one of `admins`,
 * revokes itself in the same breath: its key may be thrown away.
 */
export function createMesh(genesis: Genesis): { mesh: MeshId; facts: readonly Uint8Array[] } {
  const { name, founder, admins, node, nodeName, nonce, timeMs } = genesis;
  const stays = admins.includes(founder.id);
  const listed = stays ? admins : [...admins, founder.id];
  const first = writeFact("", { kind: "genesis", name, admins: listed, nonce }, timeMs, founder);
  const mesh = first.id as MeshId;
  const admission = { kind: "admit", subject: node, role: "peer", name: nodeName } as const;
  const admitted = writeFact(mesh, { ...admission, acceptance: null }, timeMs, founder);
  const facts = [first.bytes, admitted.bytes];
  if (!stays) {
    const revoke = { kind: "revoke", subject: founder.id, cutOffMs: timeMs + 1 } as const;
    facts.push(writeFact(mesh, revoke, timeMs, founder).bytes);
  }
  return { mesh, facts };
}
