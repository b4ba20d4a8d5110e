/**
 * A mesh's state in one file, from which a mesh can be made again when every node is lost: the
 * trust log, all revisions that are kept, the mesh's secret, and where its nodes were.
 *
 *   "shoal-backup 1\n" | envelope | SHA-256 of all before
 *
 * The first line and the checksum are the same in every version, so that damage is told from a file
 * of a newer Shoal. The envelope is signed by the admin who took the backup, and what is in it can
 * be read by those who were admins then: the file gives nothing away to whoever finds it, and it
 * costs nothing, since only an admin can bring a new node into a mesh. Pure.
 */

import { decode, encode } from "../crdt/codec.ts";
import { equalBytes, sha256 } from "../crdt/hash.ts";
import { openRevision } from "../crdt/register.ts";
import { isRecord, isWhole, open, seal } from "../crdt/signed.ts";
import type { MeshId } from "../model/ids.ts";
import { openFact } from "./facts.ts";
import { type Identity, verify } from "./identity.ts";
import { TrustLog } from "./log.ts";
import { openBox, type SealedBox, sealBox } from "./sealed-box.ts";
import type { TrustView } from "./view.ts";

export type Backup = {
  readonly mesh: MeshId;
  /** Unix ms by the clock of who took it. */
  readonly atMs: number;
  /** The mesh's 32 bytes. */
  readonly secret: Uint8Array;
  /** Sealed facts, genesis among them. */
  readonly facts: readonly Uint8Array[];
  /** Sealed revisions: current ones, past ones, tombstones and conflicts. */
  readonly revisions: readonly Uint8Array[];
  /** Where nodes were: multiaddrs with their ids. */
  readonly addresses: readonly string[];
};

export type BackupReading = Readonly<
  | { kind: "read"; backup: Backup; trust: TrustView }
  /** Of a format that this version does not know. */
  | { kind: "newer"; version: number }
  /** Whole, and not for this key. */
  | { kind: "sealed"; mesh: MeshId }
  | { kind: "unreadable"; detail: string }
>;

export const backupVersion = 1;
/** Ten thousand services with their histories are a tenth of it. */
export const backupBytesMax = 256 * 1024 * 1024;

const magic = "shoal-backup ";
const context = "shoal/backup/1";
const sumBytes = 32;

/** `random`: see `boxRandomBytes`. The signer has to be an admin by the backup's own facts. */
export function writeBackup(backup: Backup, signer: Identity, random: Uint8Array): Uint8Array {
  const { mesh, atMs, secret, facts, revisions, addresses } = backup;
  const readers = adminsOf(trustOf(mesh, facts));
  const content = encode({ secret, facts, revisions, addresses });
  const { sender, keys, content: sealed } = sealBox(content, readers, random);
  const envelope = seal(signer, context, { mesh, atMs, sender, keys, content: sealed });
  const head = Buffer.from(`${magic}${backupVersion}\n`);
  return new Uint8Array(Buffer.concat([head, envelope, sha256(head, envelope)]));
}

/** Total: whatever the bytes are. Everything in what was read is signed for its mesh. */
export function readBackup(bytes: Uint8Array, reader: Identity): BackupReading {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, magic.length + 8));
  if (!start.startsWith(magic)) return unreadable("it is no backup of a mesh");
  const [line, digits] = /^.{13}([1-9]\d{0,5})\n/.exec(start) ?? [];
  const end = bytes.length - sumBytes;
  const isWholeFile = equalBytes(sha256(bytes.subarray(0, end)), bytes.subarray(end));
  if (line === undefined || !isWholeFile) return unreadable("it is cut short or damaged");
  const version = Number(digits);
  if (version > backupVersion) return { kind: "newer", version };
  return readEnvelope(bytes.subarray(line.length, end), reader);
}

function readEnvelope(bytes: Uint8Array, reader: Identity): BackupReading {
  const opened = open(bytes, context, verify, backupBytesMax);
  const payload = opened?.payload;
  if (opened === undefined || !isRecord(payload)) return unreadable("its signature does not fit");
  const { mesh, atMs } = payload;
  const box = readBox(payload);
  if (typeof mesh !== "string" || !isWhole(atMs) || box === undefined) {
    return unreadable("it is signed, and holds no backup");
  }
  if (!box.keys.some(([id]) => id === reader.id)) return { kind: "sealed", mesh: mesh as MeshId };
  const content = decode(openBox(box, reader) ?? new Uint8Array(0), backupBytesMax);
  const backup = readContent(content, mesh as MeshId, atMs);
  if (backup === undefined) return unreadable("what is sealed in it belongs to no mesh");
  const trust = trustOf(backup.mesh, backup.facts);
  // Anybody can seal something for an admin.
  if (!adminsOf(trust).includes(opened.signer)) return unreadable("no admin of its mesh signed it");
  return { kind: "read", backup, trust };
}

function readBox({ sender, keys, content }: Readonly<Record<string, unknown>>) {
  if (!(sender instanceof Uint8Array) || !(content instanceof Uint8Array)) return undefined;
  if (!Array.isArray(keys) || !keys.every(isReaderKey)) return undefined;
  return { sender, keys, content } satisfies SealedBox;
}

function isReaderKey(value: unknown): value is readonly [string, Uint8Array] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return typeof value[0] === "string" && value[1] instanceof Uint8Array;
}

function readContent(value: unknown, mesh: MeshId, atMs: number): Backup | undefined {
  if (!isRecord(value)) return undefined;
  const { secret, facts, revisions, addresses } = value;
  if (!(secret instanceof Uint8Array) || secret.length !== 32) return undefined;
  if (!isBytes(facts) || !isBytes(revisions)) return undefined;
  if (!Array.isArray(addresses) || !addresses.every((one) => typeof one === "string")) {
    return undefined;
  }
  if (!facts.every((bytes) => openFact(bytes, mesh, verify) !== undefined)) return undefined;
  if (!revisions.every((bytes) => openRevision(bytes, mesh, verify) !== undefined)) {
    return undefined;
  }
  return { mesh, atMs, secret, facts, revisions, addresses };
}

function isBytes(value: unknown): value is Uint8Array[] {
  return Array.isArray(value) && value.every((one) => one instanceof Uint8Array);
}

function trustOf(mesh: MeshId, facts: readonly Uint8Array[]): TrustView {
  const log = new TrustLog(mesh, verify);
  for (const fact of facts) log.add(fact);
  return log.view();
}

function adminsOf({ people }: TrustView): string[] {
  return [...people].filter(([, { role }]) => role === "admin").map(([id]) => id);
}

function unreadable(detail: string): BackupReading {
  return { kind: "unreadable", detail };
}
