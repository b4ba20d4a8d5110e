/**
 * How a node comes to its mesh: it founds one, joins one by invite, brings one back from a backup,
 * or resumes the one it is in. What it needs to find its mesh again stands in two small files
 * beside the database, so that a damaged database costs state that peers have, and not the
 * membership itself. A door.
 */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decode, encode } from "../crdt/codec.ts";
import { hex, sha256 } from "../crdt/hash.ts";
import { isRecord } from "../crdt/signed.ts";
import { unsettledKey } from "../gossip/replica.ts";
import { askAdmission } from "../link/join.ts";
import type { MeshId, NodeId } from "../model/ids.ts";
import { OperationError } from "../model/problem.ts";
import type { Peer, Storage, Write } from "../ports.ts";
import { openFact } from "../trust/facts.ts";
import { createMesh } from "../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../trust/identity.ts";
import { parseInvite } from "../trust/invite.ts";
import type { Restoration } from "../trust/restoration.ts";
import { writePrivateFile } from "./data-directory.ts";
import type { Entry } from "./settings.ts";

export type Membership = {
  readonly mesh: MeshId;
  readonly name: string;
  /** 32 bytes, for noise's prologue and the probes. */
  readonly secret: Uint8Array;
  /** Signed facts, the newest that are known without the database. */
  readonly facts: readonly Uint8Array[];
  /** Where others were last. */
  readonly peers: readonly Peer[];
  /** What has to be on the disk beside the facts before the agent begins. */
  readonly rows: readonly Write[];
  /** Whether it still has to be written down. */
  readonly isNew: boolean;
};

export type Founding = {
  readonly data: string;
  readonly entry: Entry;
  readonly identity: Identity;
  readonly nodeName: string;
  readonly readToken: () => Promise<string>;
  readonly nowMs: number;
  /** Of a mesh that is to be brought back. */
  readonly restoration: Restoration | undefined;
  /** Whether the database knows who is in the mesh. */
  readonly knowsMesh: boolean;
};

/** An agent tries the invite's addresses in turn; each is given up after a few seconds. */
const joinMsMax = 30_000;

/** Throws an OperationError when the node has no mesh and cannot get one. */
export async function comeToMesh(founding: Founding): Promise<Membership> {
  const known = readMembership(founding.data);
  if (known !== undefined) {
    // What is in a directory is newer than any backup.
    if (founding.entry.kind === "restore") {
      throw new OperationError({ code: "already-member", mesh: known.name, path: founding.data });
    }
    return founding.knowsMesh || known.facts.length > 0 ? known : await comeBack(founding, known);
  }
  switch (founding.entry.kind) {
    case "found":
      return found(founding, founding.entry);
    case "join":
      return await joinMesh(founding);
    case "restore":
      return restored(founding);
    case "resume":
      throw new OperationError({ code: "not-member", path: founding.data });
  }
}

function found(founding: Founding, entry: Extract<Entry, { kind: "found" }>): Membership {
  const { identity, nodeName, nowMs } = founding;
  const { mesh, facts } = createMesh({
    name: entry.name,
    founder: identityFromSeed(new Uint8Array(randomBytes(32))),
    admins: entry.admins,
    node: identity.id,
    nodeName,
    nonce: new Uint8Array(randomBytes(32)),
    timeMs: nowMs,
  });
  const secret = new Uint8Array(randomBytes(32));
  return { mesh, name: entry.name, secret, facts, peers: [], rows: [], isNew: true };
}

function restored({ restoration, nowMs, data }: Founding): Membership {
  if (restoration === undefined) throw new OperationError({ code: "not-member", path: data });
  const { mesh, name, secret, facts, revisions, addresses, settled } = restoration;
  const rows = revisions.map((value): Write => {
    return { table: "revision", key: hex(sha256(value)).slice(0, 32), value };
  });
  if (!settled) rows.push({ table: "meta", key: unsettledKey, value: encode(nowMs) });
  return { mesh, name, secret, facts, peers: peersAt(addresses), rows, isNew: true };
}

async function joinMesh(
  { identity, nodeName, readToken }: Founding,
  expected?: MeshId,
): Promise<Membership> {
  const token = parseInvite(await readToken());
  if ("code" in token) throw new OperationError(token);
  if (expected !== undefined && token.mesh !== expected) {
    throw new OperationError({ code: "mesh-mismatch", expected, found: token.mesh });
  }
  const signal = AbortSignal.timeout(joinMsMax);
  const { facts } = await askAdmission({ token, subject: identity, name: nodeName, signal });
  const { mesh, name, secret, addresses } = token;
  return { mesh, name, secret, facts, peers: peersAt(addresses), rows: [], isNew: true };
}

/** Database and keepsake are lost: this node has its key, and does not know a single peer. */
async function comeBack(founding: Founding, { mesh }: Membership): Promise<Membership> {
  if (founding.entry.kind !== "join") {
    const detail = "it is gone, and the database with it: ask for an invite, and `shoal join` here";
    const file = join(founding.data, keepsakeFile);
    throw new OperationError({ code: "file-unreadable", file, detail });
  }
  return await joinMesh(founding, mesh);
}

/** "/ip4/…/tcp/…/p2p/ID" as an address of ID, of which there may be several. */
function peersAt(addresses: readonly string[]): Peer[] {
  const places = new Map<NodeId, string[]>();
  for (const address of addresses) {
    const [, place, node] = /^(.+)\/p2p\/([^/]+)$/.exec(address) ?? [];
    if (place === undefined || node === undefined) continue;
    places.set(node as NodeId, [...(places.get(node as NodeId) ?? []), place]);
  }
  return [...places].map(([node, found]) => ({ node, addresses: found }));
}

const publicFile = "mesh.json";
const keepsakeFile = "keepsake";

/** The facts are in the database before anything reads them there. */
export function keepMembership(
  membership: Membership,
  data: string,
  storage: Storage,
  node: string,
): void {
  const known = storage.load("fact");
  const facts = membership.facts
    .map((value) => ({ table: "fact", key: hex(sha256(value)), value }) as const)
    .filter(({ key }) => !known.has(key));
  const writes = [...facts, ...membership.rows];
  // With nothing to say, a full disk is no reason not to start.
  const outcome = writes.length === 0 ? undefined : storage.commit(writes);
  if (outcome?.kind === "refused") throw new OperationError(outcome.problem);
  if (!membership.isNew) return;
  writeKeepsake(data, membership.facts, membership.peers);
  writeMembership(data, membership, node);
}

/** For the people of this machine (`shoal invite` needs the secret), and for the next start. */
function writeMembership(
  data: string,
  { mesh, name, secret }: Pick<Membership, "mesh" | "name" | "secret">,
  node: string,
): void {
  const file = { mesh, name, secret: Buffer.from(secret).toString("base64"), node };
  writePrivateFile(join(data, publicFile), Buffer.from(`${JSON.stringify(file)}\n`));
}

export function writeKeepsake(
  data: string,
  facts: readonly Uint8Array[],
  peers: readonly Peer[],
): void {
  const bytes = encode({
    facts,
    peers: peers.map(({ node, addresses }) => [node, [...addresses]]),
  });
  writePrivateFile(join(data, keepsakeFile), bytes);
}

function readMembership(data: string): Membership | undefined {
  const text = readOptional(join(data, publicFile))?.toString("utf8");
  if (text === undefined) return undefined;
  const file = parseJson(text);
  if (!isRecord(file) || typeof file.secret !== "string" || typeof file.mesh !== "string") {
    const detail = "it does not say which mesh this node is in: put back a copy";
    throw new OperationError({ code: "file-unreadable", file: join(data, publicFile), detail });
  }
  const mesh = file.mesh as MeshId;
  const secret = new Uint8Array(Buffer.from(file.secret, "base64"));
  const rest = { ...readKeepsake(data, mesh), rows: [], isNew: false };
  return { mesh, name: String(file.name), secret, ...rest };
}

/** Nothing when it was lost too; then the database has to be whole. */
function readKeepsake(data: string, mesh: MeshId): Pick<Membership, "facts" | "peers"> {
  const bytes = readOptional(join(data, keepsakeFile));
  const value = bytes === undefined ? undefined : decode(new Uint8Array(bytes));
  if (!isRecord(value)) return { facts: [], peers: [] };
  const facts = Array.isArray(value.facts) ? value.facts : [];
  const peers = Array.isArray(value.peers) ? value.peers : [];
  return {
    facts: facts.filter((fact) => openFact(fact, mesh, verify) !== undefined),
    peers: peers.map(([node, addresses]) => ({ node, addresses })),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readOptional(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
