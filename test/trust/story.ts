/**
 * Trust logs told in lines, one fact each:
 *
 *   10 ada grants ben admin              20 ada admits n1 runner
 *   30 ada revokes ben from 5            40 ada invites i1 peer until 99 uses 2
 *   50 i1 brings n2 via n1               (accepted at 50 by n1's clock)
 *
 * Everyone is a key of that name. At 0 ada founded the mesh as its admin and admitted n0 as a peer.
 */

import { sha256 } from "../../crdt/hash.ts";
import type { MeshId } from "../../model/ids.ts";
import { accept, type Fact, type Role, type SignedFact, writeFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";
import { TrustLog, type TrustView } from "../../trust/log.ts";

const keys = new Map<string, Identity>();
const names = new Map<string, string>();

export function key(name: string): Identity {
  let identity = keys.get(name);
  if (identity === undefined) {
    identity = identityFromSeed(sha256(Buffer.from(`shoal test ${name}`)));
    keys.set(name, identity);
    names.set(identity.id, name);
  }
  return identity;
}

export const founded = createMesh({
  name: "home",
  founder: key("ada"),
  admins: [key("ada").id],
  node: key("n0").id,
  nodeName: "n0",
  nonce: new Uint8Array(32),
  timeMs: 0,
});
export const mesh: MeshId = founded.mesh;

/** The facts of a story, without those of the founding. */
export function facts(lines: readonly string[]): SignedFact[] {
  const invited = new Map<string, Role>();
  return lines.map((line) => factOf(line.trim().split(/\s+/), invited));
}

function factOf(words: readonly string[], invited: Map<string, Role>): SignedFact {
  const [time = "", who = "", verb = "", whom = "", role = ""] = words;
  const timeMs = Number(time);
  const after = (word: string): string | undefined => words[words.indexOf(word, 3) + 1];
  const said = (word: string) => words.indexOf(word, 3) > 0;
  const subject = key(whom).id;
  const write = (fact: Fact) => writeFact(mesh, fact, timeMs, key(who));
  switch (verb) {
    case "grants":
      return write({ kind: "grant", subject, role: role as "admin", name: whom });
    case "admits":
      return write({ kind: "admit", subject, role: role as Role, name: whom, acceptance: null });
    case "revokes":
      return write({
        kind: "revoke",
        subject,
        cutOffMs: said("from") ? Number(after("from")) : timeMs,
      });
    case "invites": {
      const expiresAtMs = said("until") ? Number(after("until")) : 1_000_000;
      const uses = said("uses") ? Number(after("uses")) : 1;
      invited.set(whom, role as Role);
      return write({ kind: "invite", invite: subject, role: role as Role, expiresAtMs, uses });
    }
    case "brings": {
      const use = { invite: key(who).id, subject };
      const acceptance = accept(mesh, use, timeMs, key(after("via") ?? "n0"));
      const as = (said("as") ? after("as") : invited.get(who)) as Role;
      return write({ kind: "admit", subject, role: as, name: whom, acceptance });
    }
    default:
      throw new Error(`no such verb: ${verb}`);
  }
}

export function logOf(lines: readonly string[]): TrustLog {
  return logOfBytes([...founded.facts, ...facts(lines).map(({ bytes }) => bytes)]);
}

export function logOfBytes(all: readonly Uint8Array[]): TrustLog {
  const log = new TrustLog(mesh, verify);
  for (const bytes of all) log.add(bytes);
  return log;
}

/** "ada admin, ben operator, n0 peer": who is in, by name. */
export function standing(view: TrustView): string {
  const everyone = [...view.people, ...view.nodes].map(([id, { role }]) => {
    return `${names.get(id) ?? id} ${role}`;
  });
  return everyone.sort().join(", ");
}
