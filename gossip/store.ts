/**
 * The door of replicated state for the agent: it takes in frames, operators' writes and the node's
 * own rows, and gives out frames to send and what has to go to disk. Begin reading at `receive`.
 *
 * A stamp too far ahead of this node's clock is not merged. It is offered again by every comparison
 * until its time has come.
 */

import { equalBytes } from "../crdt/hash.ts";
import type { NodeDelta, NodeDocument } from "../crdt/node-document.ts";
import { heads, type Register, type Revision } from "../crdt/register.ts";
import type { Signer, Verify } from "../crdt/signed.ts";
import { advance, type HybridTime, observe } from "../crdt/stamp.ts";
import type { Row } from "../model/documents.ts";
import type { MeshId, NodeId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import type { Storage, Write } from "../ports.ts";
import type { Draft } from "../trust/authoring.ts";
import type { TrustLog } from "../trust/log.ts";
import { ClockGuard } from "./clock-guard.ts";
import { rowValue } from "./documents.ts";
import { answerInventory, answerSummary, answerWant, summarise, unheardOf } from "./exchange.ts";
import { type Frame, readFrame, writeFrame } from "./frames.ts";
import { Outbox } from "./outbox.ts";
import { OwnDocument } from "./own-document.ts";
import { Receipts } from "./receipts.ts";
import { Replica, type Touched } from "./replica.ts";
import { Retirement } from "./retirement.ts";
import { type Prepared, prepare, type Submission } from "./submission.ts";

export type { Touched } from "./replica.ts";

export type StoreOptions = {
  readonly mesh: MeshId;
  readonly self: Signer;
  readonly verify: Verify;
  /** What storage held when the agent started. */
  readonly loaded?: Pick<Storage, "load">;
};

export type Received = { readonly replies: readonly Uint8Array[]; readonly touched: Touched };

export type Submitted =
  | { readonly kind: "accepted"; readonly ids: readonly string[] }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] };

export class Store {
  readonly #replica: Replica;
  readonly #own: OwnDocument;
  readonly #outbox = new Outbox();
  readonly #guard = new ClockGuard();
  readonly #receipts = new Receipts();
  #retirement: Retirement;
  #time: HybridTime = { timeMs: 0, counter: 0 };
  #equalMs: number | undefined;

  constructor({ mesh, self, verify, loaded }: StoreOptions) {
    this.#replica = new Replica({ mesh, self: self.id as NodeId, verify, loaded });
    this.#own = new OwnDocument(this.#replica, self);
    this.#retirement = new Retirement(this.#replica, undefined, 0);
    for (const key of this.#replica.registers.keys("")) this.#observe(this.register(key));
  }

  /** Before anything else. */
  open(wallMs: number): void {
    const savedAtMs = this.#own.open(wallMs);
    this.#retirement = new Retirement(this.#replica, savedAtMs, wallMs);
  }

  get trust(): TrustLog {
    return this.#replica.trust;
  }

  get dropped(): number {
    return this.#replica.dropped;
  }

  receive(from: NodeId, bytes: Uint8Array, moment: Moment): Received {
    const frame = readFrame(bytes);
    if (frame === undefined) this.#replica.dropped++;
    const replies = frame === undefined ? [] : this.#take(from, frame, moment);
    const touched = this.#replica.takeTouched();
    for (const key of touched.keys) this.#retirement.noteChange(key, moment.wallMs);
    return { replies: replies.map(writeFrame), touched };
  }

  #take(from: NodeId, frame: Frame, moment: Moment): Frame[] {
    switch (frame.kind) {
      case "digest":
        return this.#compare(from, frame, moment);
      case "summary":
        return answerSummary(this.#replica, frame, this.#retirement.settled);
      case "inventory":
        if (frame.settled && !this.#retirement.settled) {
          this.#retirement.disown(from, unheardOf(this.#replica, frame));
        }
        return answerInventory(this.#replica, frame, this.#retirement.settled);
      case "want":
        if (frame.settled) this.#retirement.disown(from, frame.revisions);
        return answerWant(this.#replica, frame);
      case "push":
        return this.#takePush(frame, moment);
      case "have":
        this.#receipts.note(from, [...frame.revisions, ...frame.facts]);
        return [];
      case "proof":
        if (this.#replica.mergeProof(frame.heads)) this.#outbox.addProof(frame.heads);
        return [];
    }
  }

  #compare(from: NodeId, frame: Extract<Frame, { kind: "digest" }>, moment: Moment): Frame[] {
    this.#guard.hear(from, frame.wallMs, moment);
    if (!equalBytes(frame.digest, this.digest())) {
      return frame.equal ? [] : [summarise(this.#replica)];
    }
    this.#equalMs = moment.monotonicMs;
    this.#retirement.noteEqual(from, frame.settled, moment.wallMs);
    return frame.equal ? [] : [this.#digestFrame(moment, true)];
  }

  #takePush(frame: Extract<Frame, { kind: "push" }>, moment: Moment): Frame[] {
    for (const fact of frame.facts) this.#replica.mergeFact(fact);
    if (frame.facts.length > 0) this.#replica.dropStrangers();
    const had: string[] = [];
    for (const bytes of frame.revisions) {
      const revision = this.#replica.readRevision(bytes);
      if (revision === undefined || this.#guard.isEarly(revision, moment)) continue;
      this.#replica.addRevision(revision);
      this.#observe(this.register(revision.key));
      had.push(revision.id);
    }
    const wanted = new Set<string>();
    for (const delta of frame.documents) this.#takeDelta(delta, wanted, moment);
    const replies: Frame[] = [];
    if (wanted.size > 0) {
      const settled = this.#retirement.settled;
      replies.push({ kind: "want", settled, documents: [...wanted], revisions: [], facts: [] });
    }
    const facts = frame.facts.map((bytes) => Receipts.idOf(bytes));
    if (frame.fresh && had.length + facts.length > 0) {
      replies.push({ kind: "have", revisions: had, facts });
    }
    return replies;
  }

  #takeDelta(delta: NodeDelta, wanted: Set<string>, moment: Moment): void {
    const outcome = this.#replica.mergeDelta(delta, this.#replica.self);
    if (outcome.kind === "mismatch") wanted.add(outcome.node);
    if (outcome.kind === "equivocation") this.#outbox.addProof(outcome.proof);
    if (outcome.kind !== "own") return;
    const answer = this.#own.outrank(outcome.epoch, moment.wallMs);
    if (answer !== undefined) this.#outbox.addDelta(answer);
  }

  #observe(register: Register | undefined): void {
    for (const { stamp } of register?.revisions ?? []) this.#time = observe(this.#time, stamp);
  }

  /** Begins a comparison with whoever it is sent to. */
  greet(moment: Moment): Uint8Array {
    return writeFrame(this.#digestFrame(moment, false));
  }

  #digestFrame({ wallMs }: Moment, equal: boolean): Frame {
    const { settled } = this.#retirement;
    return { kind: "digest", digest: this.digest(), wallMs, equal, settled };
  }

  /** What only this node knows of a revision that somebody is about to sign. */
  draft(key: string, moment: Moment): Draft {
    const register = this.register(key);
    const generation = 1 + (register?.revisions[0]?.stamp.generation ?? 0);
    const time = advance(this.#guard.toPass(this.#time, moment), moment.wallMs);
    this.#time = time;
    return { key, generation, ...time, parents: heads(register) };
  }

  /** What has to be on disk before it is submitted; nothing has changed yet. */
  prepare(write: Submission, moment: Moment): Prepared {
    return prepare(write, this.#replica, this.#guard, moment);
  }

  /** Merged here, to be told to all. */
  submit(write: Submission, moment: Moment): Submitted {
    const prepared = this.prepare(write, moment);
    if (prepared.kind === "refused") return prepared;
    const ids: string[] = [];
    for (const bytes of write.facts) {
      this.#replica.mergeFact(bytes);
      ids.push(Receipts.idOf(bytes));
      this.#outbox.addFact(bytes);
    }
    if (ids.length > 0) this.#replica.dropStrangers();
    for (const revision of prepared.revisions) {
      this.#replica.addRevision(revision);
      this.#observe(this.register(revision.key));
      this.#outbox.addRevision(revision.bytes);
      ids.push(revision.id);
    }
    for (const key of this.#replica.takeTouched().keys) {
      this.#retirement.noteChange(key, moment.wallMs);
    }
    this.#receipts.expect(ids);
    return { kind: "accepted", ids };
  }

  /** How many peers are known to have all of these by now. */
  peersWith(ids: readonly string[]): number {
    return this.#receipts.count(ids);
  }

  /** Changes rows of this node's own document; undefined deletes. Equal rows change nothing. */
  amend(
    rows: ReadonlyMap<string, Row | undefined>,
    at: { readonly wallMs: number; readonly incarnation: number },
  ): void {
    const delta = this.#own.amend(rows, at);
    if (delta === undefined) return;
    this.#replica.takeTouched();
    this.#outbox.addDelta(delta);
  }

  /** To be sent to all linked members, in this order. */
  takeBroadcast(moment: Moment): Uint8Array[] {
    return this.#outbox.take().map((frame) => frame ?? this.greet(moment));
  }

  /** `withOthers` includes other nodes' documents, which can be had again. */
  takeWrites(withOthers = true): Write[] {
    return this.#replica.takeWrites(withOthers);
  }

  /** Forgets what may be forgotten; called now and then. */
  tidy(moment: Moment): void {
    this.#retirement.look(moment.wallMs, [...this.trust.view().nodes.keys()]);
    this.#replica.takeTouched();
  }

  /** Sealed revisions, all that are kept: what a backup holds beside the trust log. */
  revisions(): Uint8Array[] {
    const registers = this.keys("").map((key) => this.register(key));
    return registers.flatMap((one) => one?.revisions.map(({ bytes }) => bytes) ?? []);
  }

  document(node: NodeId): NodeDocument | undefined {
    return this.#replica.documents.get(node);
  }

  /** The document as far as it may be believed: none of a convicted node. */
  believed(node: NodeId): NodeDocument | undefined {
    return this.#replica.proofs.has(node) ? undefined : this.document(node);
  }

  /** Rows of a node as decoded values, one object for equal bytes. None of a convicted node. */
  *rows(node: NodeId, prefix: string): Generator<[string, unknown], undefined> {
    for (const [key, bytes] of this.believed(node)?.rows ?? []) {
      if (key.startsWith(prefix)) yield [key, rowValue(bytes)];
    }
  }

  /** Sorted. Registers of which everything was deleted are among them. */
  keys(prefix: string): readonly string[] {
    return this.#replica.registers.keys(prefix);
  }

  register(key: string): Register | undefined {
    return this.#replica.registers.get(key);
  }

  /** The revision that counts; undefined when it was deleted or never was. */
  current(key: string): Revision | undefined {
    return this.#replica.current(key);
  }

  digest(): Uint8Array {
    return this.#replica.digest();
  }

  /** Whether this node's state was equal to a peer's since it was opened. */
  hasConverged(): boolean {
    return this.#equalMs !== undefined;
  }

  /** Ms since a peer's digest last was this node's; 0 in a mesh of one. */
  convergedAgoMs(moment: Moment): number {
    if (this.trust.view().nodes.size <= 1) return 0;
    return moment.monotonicMs - (this.#equalMs ?? 0);
  }

  problems(): Problem[] {
    const convicted = [...this.#replica.proofs.keys()];
    return [
      ...convicted.map((node): Problem => ({ code: "node-equivocated", node })),
      ...this.#guard.problems(),
    ];
  }
}
