/**
 * Anti-entropy: two nodes compare, and each sends what the other lacks. Correctness rests on this
 * alone; broadcasts only make it fast. Every step is answered from the frame and the state as it
 * is, so any frame may be lost, repeated or late. docs/protocol.md shows the exchange.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987,
 * section 1.3; we compare heads as a vector and registers by bucket instead of whole databases.
 */

import { equalBytes } from "../crdt/hash.ts";
import type { NodeDelta, NodeDocument } from "../crdt/node-document.ts";
import { type Frame, type HeadSummary, pushBytesMax } from "./frames.ts";
import { pack } from "./outbox.ts";
import type { Replica } from "./replica.ts";

type FrameOf<Kind extends Frame["kind"]> = Extract<Frame, { kind: Kind }>;

/** The first answer to a digest that is not ours. */
export function summarise({ documents, registers, trust }: Replica): Frame {
  const heads = documents.summary();
  return { kind: "summary", heads, buckets: registers.sums(), facts: trust.digest() };
}

/** Sends what the summary's author lacks, and says what there is in the buckets that differ. */
export function answerSummary(
  replica: Replica,
  { heads, buckets, facts }: FrameOf<"summary">,
  settled: boolean,
): Frame[] {
  const { documents, registers, trust } = replica;
  const theirs = new Map(heads.map((head) => [head[0], head]));
  const newer = documents.nodes().filter((node) => {
    const own = documents.get(node);
    return own !== undefined && order(own, theirs.get(node)) > 0;
  });
  const wanted = heads
    .filter((head) => order(documents.get(head[0]), head) < 0 || differs(replica, head))
    .map(([node]) => node);
  const differing = registers.differing(buckets);
  const held = differing.map((bucket): [number, string[]] => [bucket, registers.idsIn(bucket)]);
  const factIds = equalBytes(facts, trust.digest()) ? null : [...trust.entries().keys()];
  const push = pushOf(newer.flatMap((node) => wholeDocument(replica, node)));
  if (wanted.length + held.length === 0 && factIds === null) return push;
  return [...push, { kind: "inventory", wanted, settled, buckets: held, facts: factIds }];
}

/** Ids in the inventory's buckets of which its author has not heard. */
export function unheardOf({ registers }: Replica, { buckets }: FrameOf<"inventory">): string[] {
  return buckets.flatMap(([bucket, ids]) => {
    const theirs = new Set(ids);
    return registers.idsIn(bucket).filter((id) => !theirs.has(id));
  });
}

/** Sends what the inventory's author lacks, and asks for what only it has. */
export function answerInventory(
  replica: Replica,
  inventory: FrameOf<"inventory">,
  settled: boolean,
): Frame[] {
  const { wanted, buckets, facts } = inventory;
  const { registers, trust } = replica;
  const documents = wanted.flatMap((node) => wholeDocument(replica, node));
  const revisions = bytesOf(replica, unheardOf(replica, inventory));
  const lacking = buckets.flatMap(([, ids]) => ids.filter((id) => !registers.has(id)));
  const known = new Set(facts ?? trust.entries().keys());
  const unknown = [...trust.entries()].filter(([id]) => !known.has(id)).map(([, bytes]) => bytes);
  const lackingFacts = [...known].filter((id) => !trust.entries().has(id));
  const frames = pushOf(documents, revisions, unknown);
  if (lacking.length + lackingFacts.length === 0) return frames;
  const want = { documents: [], revisions: lacking, facts: lackingFacts };
  return [...frames, { kind: "want", settled, ...want }];
}

export function answerWant(
  replica: Replica,
  { documents, revisions, facts }: Pick<FrameOf<"want">, "documents" | "revisions" | "facts">,
): Frame[] {
  const entries = replica.trust.entries();
  return pushOf(
    documents.flatMap((node) => wholeDocument(replica, node)),
    bytesOf(replica, revisions),
    facts.flatMap((id) => entries.get(id) ?? []),
  );
}

/** Facts first: what follows is judged by them. */
export function pushOf(
  documents: readonly NodeDelta[],
  revisions: readonly Uint8Array[] = [],
  facts: readonly Uint8Array[] = [],
): Frame[] {
  const none = { kind: "push", fresh: false, documents: [], revisions: [], facts: [] } as const;
  return [
    ...pack(facts, pushBytesMax).map((part): Frame => ({ ...none, facts: part })),
    ...pack(revisions, pushBytesMax).map((part): Frame => ({ ...none, revisions: part })),
    ...pack(documents, pushBytesMax).map((part): Frame => ({ ...none, documents: part })),
  ];
}

function bytesOf({ registers }: Replica, ids: readonly string[]): Uint8Array[] {
  return ids.flatMap((id) => registers.find(id)?.bytes ?? []);
}

function wholeDocument({ documents }: Replica, node: string): NodeDelta[] {
  const document = documents.get(node);
  if (document === undefined) return [];
  return [{ head: document.head.bytes, base: null, rows: [...document.rows] }];
}

/** Positive when ours is newer, negative when theirs is. */
function order(own: NodeDocument | undefined, head: HeadSummary | undefined): number {
  if (own === undefined) return head === undefined ? 0 : -1;
  if (head === undefined) return 1;
  return own.head.epoch - head[1] || own.head.seq - head[2];
}

/** The same version with another root: to be looked at whole, since it convicts its signer. */
function differs({ documents, proofs }: Replica, head: HeadSummary): boolean {
  const own = documents.get(head[0]);
  if (own === undefined || order(own, head) !== 0 || proofs.has(head[0])) return false;
  return !equalBytes(own.head.root.subarray(0, head[3].length), head[3]);
}
