import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encode } from "../../crdt/codec.ts";
import { hex } from "../../crdt/hash.ts";
import {
  amend,
  applyDelta,
  type NodeDelta,
  type NodeDocument,
  openHead,
  rootOf,
  rowBytesMax,
  rowsMax,
} from "../../crdt/node-document.ts";
import { type Signer, seal } from "../../crdt/signed.ts";
import { mutated } from "./bytes.ts";
import { ada, ben, verify } from "./signers.ts";

const mesh = "m".repeat(64);
type Said = Readonly<Record<string, number | undefined>>;

type Step = { readonly document: NodeDocument; readonly delta: NodeDelta };

/** Ada's next version: rows as numbers, undefined deletes. */
function say(current: NodeDocument | undefined, said: Said, epoch = 1, signer: Signer = ada): Step {
  const changes = new Map(
    Object.entries(said).map(([key, value]) => {
      return [key, value === undefined ? undefined : encode(value)] as const;
    }),
  );
  return amend(current, { mesh, epoch, incarnation: 0, wallMs: 1, changes }, signer);
}

function tell(...all: Said[]): Step[] {
  const steps: Step[] = [];
  for (const said of all) steps.push(say(steps.at(-1)?.document, said));
  return steps;
}

const whole = ({ document }: Step): NodeDelta => {
  return { head: document.head.bytes, base: null, rows: [...document.rows] };
};
const apply = (current: NodeDocument | undefined, delta: NodeDelta) =>
  applyDelta(current, delta, mesh, verify);
const keysOf = (document: NodeDocument) => [...document.rows.keys()].sort().join(" ");

function applied(current: NodeDocument | undefined, delta: NodeDelta): NodeDocument {
  const outcome = apply(current, delta);
  assert.equal(outcome.kind, "applied");
  return (outcome as { document: NodeDocument }).document;
}

const [first, second, third] = tell({ a: 1, b: 2 }, { b: 3, c: 4 }, { a: undefined }) as [
  Step,
  Step,
  Step,
];

test("deltas one after another give what the writer has", () => {
  let document: NodeDocument | undefined;
  for (const { delta } of [first, second, third]) document = applied(document, delta);
  assert.equal(keysOf(document as NodeDocument), "b c");
  assert.deepEqual(document?.head, third.document.head);
  assert.deepEqual(document?.rows, third.document.rows);
});

test("whatever is lost, repeated or late, whole documents make up for it", () => {
  const said = fc.dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.option(fc.nat(3), { nil: undefined }),
  );
  const story = fc.array(said, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(story, fc.array(fc.nat(), { maxLength: 20 }), (all, arrivals) => {
      const steps = tell(...all);
      let document: NodeDocument | undefined;
      for (const arrival of arrivals) {
        const step = steps[arrival % steps.length] as Step;
        const outcome = apply(document, step.delta);
        assert.notEqual(outcome.kind, "invalid");
        assert.notEqual(outcome.kind, "equivocation");
        if (outcome.kind === "applied") document = outcome.document;
        if (outcome.kind === "mismatch") document = applied(document, whole(step));
        const isNewest = (document?.head.seq ?? 0) >= step.document.head.seq;
        assert.ok(isNewest, "what arrived is known now, or something newer is");
      }
      const last = steps.at(-1) as Step;
      const end = apply(document, whole(last));
      assert.ok(end.kind === "applied" || end.kind === "stale");
      const final = end.kind === "applied" ? end.document : document;
      assert.deepEqual(final?.rows, last.document.rows);
    }),
  );
});

const late: readonly [what: string, current: Step | undefined, delta: NodeDelta, kind: string][] = [
  ["the first word of a stranger, whole", undefined, first.delta, "applied"],
  ["a change to what is not here", undefined, second.delta, "mismatch"],
  ["the next change", first, second.delta, "applied"],
  ["the next but one", first, third.delta, "mismatch"],
  ["the same again", second, second.delta, "stale"],
  ["an older one", third, first.delta, "stale"],
  ["an older document, whole", third, whole(first), "stale"],
  ["a newer document, whole", first, whole(third), "applied"],
  ["fewer rows than the head was signed over", first, { ...second.delta, rows: [] }, "mismatch"],
  [
    "a row that the head was not signed over",
    first,
    { ...second.delta, rows: [...second.delta.rows, ["x", encode(1)]] },
    "mismatch",
  ],
  [
    "another value for a row",
    first,
    {
      ...second.delta,
      rows: [
        ["b", encode(9)],
        ["c", encode(4)],
      ],
    },
    "mismatch",
  ],
  ["a new epoch after a restart", third, whole(say(third.document, {}, 2)), "applied"],
];

for (const [what, current, delta, kind] of late) {
  test(`${what} is ${kind}`, () => {
    assert.equal(apply(current?.document, delta).kind, kind);
  });
}

test("an old epoch is stale, however many changes it counted", () => {
  const restarted = say(undefined, { z: 1 }, 2);
  const many = tell(...new Array<Said>(9).fill({ a: 1 })).at(-1) as Step;
  assert.equal(apply(restarted.document, whole(many)).kind, "stale");
});

test("two states signed as one version are equivocation, with both heads as proof", () => {
  const other = say(first.document, { b: 9 });
  const outcome = apply(second.document, other.delta);
  assert.deepEqual(outcome, {
    kind: "equivocation",
    proof: [second.document.head.bytes, other.document.head.bytes],
  });
  const back = apply(other.document, second.delta);
  assert.equal(back.kind, "equivocation", "whichever came first");
});

test("a head that differs only in what orders nothing is no equivocation", () => {
  const again = amend(
    first.document,
    {
      mesh,
      epoch: 1,
      incarnation: 0,
      wallMs: 99,
      changes: new Map([
        ["b", encode(3)],
        ["c", encode(4)],
      ]),
    },
    ada,
  );
  assert.equal(apply(second.document, again.delta).kind, "stale");
});

const head = {
  mesh,
  node: ada.id,
  epoch: 1,
  seq: 2,
  incarnation: 0,
  wallMs: 1,
  root: second.document.head.root,
};
const sealHead = (fields: unknown, signer: Signer = ada) => seal(signer, "shoal/head/1", fields);

const forged: readonly [what: string, head: Uint8Array][] = [
  ["signed by another in her name", sealHead(head, ben)],
  ["of another mesh", sealHead({ ...head, mesh: "n".repeat(64) })],
  ["of another context", seal(ada, "shoal/revision/1", head)],
  ["with a negative epoch", sealHead({ ...head, epoch: -1 })],
  ["with half a seq", sealHead({ ...head, seq: 1.5 })],
  ["without an incarnation", sealHead({ ...head, incarnation: null })],
  ["with a time that is text", sealHead({ ...head, wallMs: "now" })],
  ["with a short root", sealHead({ ...head, root: new Uint8Array(31) })],
  ["with a root that is text", sealHead({ ...head, root: "r".repeat(32) })],
  ["that is a list", sealHead([head])],
  ["longer than a head", sealHead({ ...head, more: "x".repeat(2048) })],
  ["that is nothing", new Uint8Array()],
];

for (const [what, bytes] of forged) {
  test(`a head ${what} is invalid`, () => {
    const delta = { ...second.delta, head: bytes };
    assert.equal(apply(first.document, delta).kind, "invalid");
    assert.equal(openHead(bytes, mesh, verify), undefined);
  });
}

test("the table of forged ones is about what it says: the same head in order is applied", () => {
  assert.equal(apply(first.document, { ...second.delta, head: sealHead(head) }).kind, "applied");
});

test("one node's head changes no other's document", () => {
  const ben1 = say(undefined, { a: 1 }, 5, ben);
  assert.equal(apply(first.document, whole(ben1)).kind, "invalid");
});

test("a row past its bound, or more rows than a node can have, are invalid", () => {
  const rows = (count: number, bytes: number) => {
    const changes = new Map(
      Array.from({ length: count }, (_, index) => [`r${index}`, new Uint8Array(bytes)] as const),
    );
    return amend(undefined, { mesh, epoch: 1, incarnation: 0, wallMs: 1, changes }, ada).delta;
  };
  assert.equal(apply(undefined, rows(1, rowBytesMax)).kind, "applied");
  assert.equal(apply(undefined, rows(1, rowBytesMax + 1)).kind, "invalid");
  assert.equal(apply(undefined, rows(rowsMax + 1, 1)).kind, "invalid");
});

test("a root is over keys and values, in no order, and tells what belongs to which", () => {
  const rows = (...entries: [string, number][]) => {
    return hex(rootOf(new Map(entries.map(([key, value]) => [key, encode(value)]))));
  };
  assert.equal(rows(["a", 1], ["b", 2]), rows(["b", 2], ["a", 1]));
  const others = [rows(["a", 2], ["b", 1]), rows(["a", 1]), rows(["ab", 1]), rows()];
  assert.equal(new Set([rows(["a", 1], ["b", 2]), ...others]).size, 5);
});

test("a row that did not change stays the same object, and with it what is known of it", () => {
  const before = applied(undefined, first.delta);
  const copy = whole(second).rows.map(([key, value]) => {
    return [key, value === null ? null : value.slice()] as const;
  });
  const after = applied(before, { ...whole(second), rows: copy });
  assert.equal(after.rows.get("a"), before.rows.get("a"));
  assert.notEqual(after.rows.get("b"), before.rows.get("b"));
});

test("a document is never changed by what is applied to it", () => {
  const before = applied(undefined, first.delta);
  const keys = keysOf(before);
  applied(before, second.delta);
  assert.equal(keysOf(before), keys);
});

test("damaged heads are refused without a throw", () => {
  for (const bytes of mutated([second.document.head.bytes], 20_000, 5)) {
    const { kind } = apply(first.document, { ...second.delta, head: bytes });
    assert.ok(kind === "invalid" || hex(bytes) === hex(second.document.head.bytes));
  }
});
