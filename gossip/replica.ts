/**
 * Replicated state as one node has it: the trust log, all node documents, all registers; how each
 * is merged, and what has to go to disk because of it. Merging is a join: order, repeats and loss
 * of what arrives do not matter.
 *
 * Validity by role is judged when state is read (`current`), not here; only who never could have
 * written anything is turned away, so that strangers cannot fill the disk.
 */

import { decode, encode } from "../crdt/codec.ts";
import { equalBytes, sha256 } from "../crdt/hash.ts";
import {
  applyDelta,
  compareHeads,
  type NodeDelta,
  type NodeDocument,
  openHead,
} from "../crdt/node-document.ts";
import { openRevision, type Register, type Revision } from "../crdt/register.ts";
import { isRecord, isWhole, type Verify } from "../crdt/signed.ts";
import type { MeshId, NodeId } from "../model/ids.ts";
import type { Storage, Write } from "../ports.ts";
import { openFact } from "../trust/facts.ts";
import { TrustLog } from "../trust/log.ts";
import { NodeDocuments, packDocument } from "./documents.ts";
import { Registers } from "./registers.ts";

/** Of the row of `meta` that says since when this node takes state before it gives any. */
export const unsettledKey = "unsettled";

/** What changed while a frame was taken in. */
export type Touched = {
  readonly nodes: ReadonlySet<NodeId>;
  readonly keys: ReadonlySet<string>;
  readonly trust: boolean;
};

export type MergedDelta = Readonly<
  | { kind: "applied" | "stale" | "dropped" }
  /** To be asked for whole. */
  | { kind: "mismatch"; node: string }
  | { kind: "equivocation"; proof: readonly [Uint8Array, Uint8Array] }
  /** A newer head of this very node than it has itself. */
  | { kind: "own"; epoch: number }
>;

export type ReplicaOptions = {
  readonly mesh: MeshId;
  readonly self: NodeId;
  readonly verify: Verify;
  readonly loaded: Pick<Storage, "load"> | undefined;
};

export class Replica {
  readonly mesh: MeshId;
  readonly self: NodeId;
  readonly trust: TrustLog;
  readonly documents = new NodeDocuments();
  readonly registers = new Registers();
  /** Two heads of one version that convict their signer, by node. */
  readonly proofs = new Map<string, readonly [Uint8Array, Uint8Array]>();
  /** See retirement.ts. */
  unsettledSinceMs: number | undefined;
  readonly #verify: Verify;
  readonly #writes = new Map<string, Write>();
  readonly #unsaved = new Set<string>();
  #touchedNodes = new Set<NodeId>();
  #touchedKeys = new Set<string>();
  #touchedTrust = false;
  #digest: Uint8Array | undefined;
  /** What could not be read, was not signed right, or came from nobody known. */
  dropped = 0;

  constructor({ mesh, self, verify, loaded }: ReplicaOptions) {
    this.mesh = mesh;
    this.self = self;
    this.#verify = verify;
    this.trust = new TrustLog(mesh, verify);
    if (loaded !== undefined) this.#load(loaded);
    this.takeTouched();
    this.#writes.clear();
    this.#unsaved.clear();
  }

  #load(storage: Pick<Storage, "load">): void {
    for (const bytes of storage.load("fact").values()) this.trust.add(bytes);
    for (const bytes of storage.load("revision").values()) this.mergeRevision(bytes);
    for (const bytes of storage.load("document").values()) this.#loadDocument(bytes);
    for (const [key, bytes] of storage.load("meta")) {
      if (key.startsWith("proof/")) this.#loadProof(bytes);
      if (key === unsettledKey) this.#loadUnsettled(bytes);
    }
  }

  #loadDocument(bytes: Uint8Array): void {
    const value = decode(bytes);
    if (!isRecord(value) || !(value.head instanceof Uint8Array)) return;
    if (!Array.isArray(value.rows)) return;
    this.mergeDelta({ head: value.head, base: null, rows: value.rows });
  }

  #loadProof(bytes: Uint8Array): void {
    const value = decode(bytes);
    if (Array.isArray(value)) this.mergeProof([value[0], value[1]]);
  }

  #loadUnsettled(bytes: Uint8Array): void {
    const value = decode(bytes);
    if (isWhole(value)) this.unsettledSinceMs = value;
  }

  /** Undefined: this node's memory counts again. Outlives a restart. */
  unsettle(sinceMs: number | undefined): void {
    this.unsettledSinceMs = sinceMs;
    this.#write("meta", unsettledKey, sinceMs === undefined ? undefined : encode(sinceMs));
  }

  /** 32 bytes over everything: equal on two nodes that hold equal state. */
  digest(): Uint8Array {
    const parts = [this.documents.sum(), this.registers.sums(), this.trust.digest()];
    this.#digest ??= sha256(...parts);
    return this.#digest;
  }

  isFact(bytes: Uint8Array): boolean {
    if (openFact(bytes, this.mesh, this.#verify) !== undefined) return true;
    this.dropped++;
    return false;
  }

  mergeFact(bytes: Uint8Array): "added" | "known" | "invalid" {
    const outcome = this.trust.add(bytes);
    if (outcome === "invalid") this.dropped++;
    if (outcome !== "added") return outcome;
    const fact = this.trust.facts().at(-1);
    if (fact !== undefined) this.#write("fact", fact.id, bytes);
    this.#touchedTrust = true;
    this.#digest = undefined;
    return outcome;
  }

  /**
   * After facts were merged: documents of nodes that are no longer admitted go. Everyone with these
   * facts agrees on that.
   */
  dropStrangers(): void {
    const { nodes } = this.trust.view();
    for (const node of this.documents.nodes()) {
      if (nodes.has(node as NodeId)) continue;
      this.documents.drop(node);
      this.#unsaved.delete(node);
      this.#write("document", node, undefined);
      this.#touchedNodes.add(node as NodeId);
    }
  }

  /** Undefined when it is unreadable or its writer never could write. */
  readRevision(bytes: Uint8Array): Revision | undefined {
    const revision = openRevision(bytes, this.mesh, this.#verify);
    const known = this.trust.view().everWriters;
    if (revision !== undefined && known.has(revision.stamp.writer)) return revision;
    this.dropped++;
    return undefined;
  }

  /** The revision when it is new here. */
  mergeRevision(bytes: Uint8Array): Revision | undefined {
    const revision = this.readRevision(bytes);
    return revision !== undefined && this.addRevision(revision) ? revision : undefined;
  }

  addRevision(revision: Revision): boolean {
    const merged = this.registers.merge(revision);
    if (merged === undefined) {
      // Who sends what was deleted has not had the tombstone: it must be compared once more.
      if (this.registers.isRetired(revision.key)) this.registers.unretire(revision.key);
      this.#digest = undefined;
      return false;
    }
    this.#write("revision", revision.id, revision.bytes);
    for (const { id } of merged.dropped) this.#write("revision", id, undefined);
    this.#touchedKeys.add(revision.key);
    this.#digest = undefined;
    return true;
  }

  purge(key: string): void {
    for (const { id } of this.registers.purge(key)) this.#write("revision", id, undefined);
    this.#touchedKeys.add(key);
    this.#digest = undefined;
  }

  /** Takes the register out of the digest, or back in: see retirement.ts. */
  retire(key: string): void {
    this.registers.retire(key);
    this.#digest = undefined;
  }

  mergeDelta(delta: NodeDelta, self?: NodeId): MergedDelta {
    const head = openHead(delta.head, this.mesh, this.#verify);
    if (head === undefined || !this.trust.view().nodes.has(head.node as NodeId)) {
      this.dropped++;
      return { kind: "dropped" };
    }
    if (this.proofs.has(head.node)) return { kind: "stale" };
    const current = this.documents.get(head.node);
    if (head.node === self) {
      const newer = current === undefined || compareHeads(head, current.head) > 0;
      return newer ? { kind: "own", epoch: head.epoch } : { kind: "stale" };
    }
    const applied = applyDelta(current, delta, this.mesh, this.#verify);
    switch (applied.kind) {
      case "applied":
        this.putDocument(applied.document);
        return { kind: "applied" };
      case "equivocation":
        this.mergeProof(applied.proof);
        return applied;
      case "invalid":
        this.dropped++;
        return { kind: "dropped" };
      case "mismatch":
        return { kind: "mismatch", node: head.node };
      case "stale":
        return { kind: "stale" };
    }
  }

  putDocument(document: NodeDocument): void {
    const { node } = document.head;
    this.documents.put(document);
    this.#unsaved.add(node);
    this.#touchedNodes.add(node as NodeId);
    this.#digest = undefined;
  }

  /** True when it is a proof, and news. */
  mergeProof(heads: readonly [Uint8Array, Uint8Array]): boolean {
    if (!(heads[0] instanceof Uint8Array) || !(heads[1] instanceof Uint8Array)) return false;
    const [left, right] = heads.map((head) => openHead(head, this.mesh, this.#verify));
    if (left === undefined || right === undefined || left.node !== right.node) return false;
    if (compareHeads(left, right) !== 0 || equalBytes(left.root, right.root)) return false;
    if (this.proofs.has(left.node)) return false;
    this.proofs.set(left.node, heads);
    this.#write("meta", `proof/${left.node}`, encode(heads));
    this.#touchedNodes.add(left.node as NodeId);
    return true;
  }

  /** What a reader may believe: of the kept revisions, the best whose writer had the right. */
  current(key: string): Revision | undefined {
    const register = this.registers.get(key);
    const best = register === undefined ? undefined : this.bestOf(register);
    return best?.value === undefined ? undefined : best;
  }

  bestOf({ revisions }: Register): Revision | undefined {
    const { mayWrite } = this.trust.view();
    return revisions.find(({ stamp }) => mayWrite(stamp.writer, stamp.timeMs));
  }

  takeTouched(): Touched {
    const touched = {
      nodes: this.#touchedNodes,
      keys: this.#touchedKeys,
      trust: this.#touchedTrust,
    };
    this.#touchedNodes = new Set();
    this.#touchedKeys = new Set();
    this.#touchedTrust = false;
    return touched;
  }

  /** Other nodes' documents can be had again from them: they are saved now and then only. */
  takeWrites(withOthers: boolean): Write[] {
    for (const node of this.#unsaved) {
      const document = this.documents.get(node);
      if (document === undefined || (node !== this.self && !withOthers)) continue;
      this.#unsaved.delete(node);
      this.#write("document", node, packDocument(document));
    }
    const writes = [...this.#writes.values()];
    this.#writes.clear();
    return writes;
  }

  #write(table: Write["table"], key: string, value: Uint8Array | undefined): void {
    this.#writes.set(`${table} ${key}`, { table, key, value });
  }
}
