import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encode } from "../../crdt/codec.ts";
import {
  conflicts,
  heads,
  mergeRevision,
  openRevision,
  type Register,
  type Revision,
  revisionsKept,
  writeRevision,
} from "../../crdt/register.ts";
import { seal } from "../../crdt/signed.ts";
import { mutated } from "./bytes.ts";
import { ada, ben, cleo, verify } from "./signers.ts";

const mesh = "m".repeat(64);
const writers = [ada, ben, cleo];
const time = { timeMs: 5, counter: 0 };

type Write = { generation: number; timeMs: number; writer: number; value: number | null };

function write({ generation, timeMs, writer, value }: Write, parents: string[] = []): Revision {
  const draft = { key: "service/d/web", generation, time: { timeMs, counter: 0 }, parents };
  return writeRevision(mesh, draft, value ?? undefined, writers[writer] ?? ada);
}

// Few generations, times and writers, so that stamps collide: with equal stamps the id decides.
const anyWrite = fc.record({
  generation: fc.nat(3),
  timeMs: fc.nat(1),
  writer: fc.nat(2),
  value: fc.option(fc.nat(2), { nil: null }),
});
const pool = fc
  .uniqueArray(anyWrite, { minLength: 1, maxLength: 24, selector: (one) => JSON.stringify(one) })
  .map((writes) => writes.map((one) => write(one)));

function merged(revisions: readonly Revision[]): Register | undefined {
  return revisions.reduce<Register | undefined>(mergeRevision, undefined);
}

/** Joins two registers, as anti-entropy does: one revision after another. */
function join(left: Register | undefined, right: Register | undefined): Register | undefined {
  return (right?.revisions ?? []).reduce<Register | undefined>(mergeRevision, left);
}

const ids = (register: Register | undefined) => register?.revisions.map(({ id }) => id) ?? [];

test("a register depends on what was written, not on the order or how often it came", () => {
  const arrivals = pool.chain((all) =>
    fc.tuple(
      fc.constant(all),
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.array(fc.constantFrom(...all), { maxLength: 20 }),
    ),
  );
  fc.assert(
    fc.property(arrivals, ([all, shuffled, repeats]) => {
      const plain = ids(merged(all));
      assert.deepEqual(ids(merged([...shuffled, ...repeats])), plain);
      assert.deepEqual(ids(merged([...repeats, ...shuffled])), plain);
    }),
  );
});

const three = pool.chain((all) => {
  const some = fc.shuffledSubarray(all).map(merged);
  return fc.tuple(some, some, some);
});

const laws: Record<
  string,
  (a: Register | undefined, b: Register | undefined, c: Register | undefined) => void
> = {
  commutative: (a, b) => assert.deepEqual(ids(join(a, b)), ids(join(b, a))),
  associative: (a, b, c) => assert.deepEqual(ids(join(join(a, b), c)), ids(join(a, join(b, c)))),
  idempotent: (a, b) => assert.deepEqual(ids(join(join(a, b), b)), ids(join(a, b))),
};

for (const [name, law] of Object.entries(laws)) {
  test(`merging registers is ${name}, although only ${revisionsKept} revisions are kept`, () => {
    fc.assert(fc.property(three, ([a, b, c]) => law(a, b, c)));
  });
}

test("the highest stamp wins, and the best ten are kept, best first", () => {
  const all = Array.from({ length: 14 }, (_, generation) =>
    write({ generation, timeMs: 0, writer: 0, value: generation }),
  );
  const register = merged([...all.slice(7), ...all.slice(0, 7)]);
  const values = register?.revisions.map(({ value }) => value);
  assert.deepEqual(values, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4]);
});

test("of two writes with one generation and time the writer decides, on both sides alike", () => {
  const [one, other] = [0, 1].map((writer) =>
    write({ generation: 1, timeMs: 1, writer, value: 0 }),
  );
  const winner = [ada.id, ben.id].sort()[1];
  for (const order of [
    [one, other],
    [other, one],
  ]) {
    assert.equal(merged(order as Revision[])?.revisions[0]?.stamp.writer, winner);
  }
});

test("a register comes back as the same object when nothing is new", () => {
  const [first, second] = [0, 1].map((generation) => {
    return write({ generation, timeMs: 0, writer: 0, value: 0 });
  }) as [Revision, Revision];
  const register = merged([first, second]) as Register;
  assert.equal(mergeRevision(register, first), register);
  const full = merged(
    Array.from({ length: 10 }, (_, index) =>
      write({ generation: index + 5, timeMs: 0, writer: 0, value: 0 }),
    ),
  ) as Register;
  assert.equal(mergeRevision(full, first), full, "one older than the ten kept");
});

test("a deletion is a revision like others: it wins when it is newer, and loses when older", () => {
  const made = write({ generation: 1, timeMs: 0, writer: 0, value: 1 });
  const gone = write({ generation: 2, timeMs: 0, writer: 1, value: null }, [made.id]);
  const again = write({ generation: 3, timeMs: 0, writer: 0, value: 2 }, [gone.id]);
  assert.equal(merged([gone, made])?.revisions[0]?.value, undefined);
  assert.equal(merged([again, made, gone])?.revisions[0]?.value, 2);
});

/** "a, b<a, c<a": revisions in the order of their stamps, each with its parents. */
function history(text: string): { register: Register; names: Map<string, string> } {
  const idsByName = new Map<string, string>();
  const revisions = text.split(", ").map((word, index) => {
    const [name = "", parents = ""] = word.split("<");
    const known = parents === "" ? [] : parents.split("+").map((one) => idsByName.get(one) ?? one);
    const revision = write({ generation: index, timeMs: 0, writer: 0, value: index }, known);
    idsByName.set(name, revision.id);
    return revision;
  });
  const names = new Map([...idsByName].map(([name, id]) => [id, name]));
  return { register: merged(revisions) as Register, names };
}

const lost = "0".repeat(32);

const histories: readonly [what: string, history: string, conflicts: string, heads: string][] = [
  ["one write", "a", "", "a"],
  ["a chain is history", "a, b<a, c<b", "", "c"],
  ["two that knew nothing of each other", "a, b", "a", "a b"],
  ["two after one", "a, b<a, c<a", "b", "b c"],
  ["a third that saw both settles it", "a, b<a, c<a, d<b+c", "", "d"],
  ["a third that saw one does not", "a, b<a, c<a, d<c", "b", "b d"],
  ["two losers", "a, b<a, c<a, d<a", "b c", "b c d"],
  ["a chain that lost", "a, b<a, c<b, d<a", "b c", "c d"],
  ["a parent that is not kept says nothing about what is older", `a, b<${lost}`, "", "a b"],
];

for (const [what, text, expected, expectedHeads] of histories) {
  test(`conflicts: ${what}`, () => {
    const { register, names } = history(text);
    const show = (list: readonly string[]) =>
      list
        .map((id) => names.get(id))
        .sort()
        .join(" ");
    assert.equal(show(conflicts(register).map(({ id }) => id)), expected);
    assert.equal(show(heads(register)), expectedHeads);
  });
}

test("a long chain of which ten are kept is no conflict with itself", () => {
  const chain = Array.from({ length: 25 }, (_, index) =>
    index === 0 ? "r0" : `r${index}<r${index - 1}`,
  );
  assert.deepEqual(conflicts(history(chain.join(", ")).register), []);
});

test("what a draft would name as parents is nothing in a new register", () => {
  assert.deepEqual(heads(undefined), []);
});

const good = write({ generation: 1, timeMs: 5, writer: 0, value: 7 });

test("a revision reads back as it was written", () => {
  const read = openRevision(good.bytes, mesh, verify);
  assert.deepEqual(read, good);
  assert.equal(read?.id.length, 32);
});

const sealedAs = (payload: unknown) => seal(ada, "shoal/revision/1", payload);
const fields = { mesh, key: "k", generation: 1, timeMs: 1, counter: 0, parents: [], value: 1 };

const bad: readonly [what: string, bytes: Uint8Array][] = [
  ["another mesh", sealedAs({ ...fields, mesh: "n".repeat(64) })],
  ["no key", sealedAs({ ...fields, key: "" })],
  ["a key too long", sealedAs({ ...fields, key: "k".repeat(257) })],
  ["a key that is no text", sealedAs({ ...fields, key: 1 })],
  ["a generation below nought", sealedAs({ ...fields, generation: -1 })],
  ["half a generation", sealedAs({ ...fields, generation: 1.5 })],
  ["a time that is text", sealedAs({ ...fields, timeMs: "now" })],
  ["no counter", sealedAs({ ...fields, counter: null })],
  ["parents that are no list", sealedAs({ ...fields, parents: { 0: lost, length: 1 } })],
  ["a parent that is no id", sealedAs({ ...fields, parents: ["a"] })],
  ["thirty-three parents", sealedAs({ ...fields, parents: new Array(33).fill(lost) })],
  ["a payload that is a list", sealedAs([fields])],
  ["another context", seal(ada, "shoal/head/1", fields)],
  ["a size past all bounds", sealedAs({ ...fields, value: "x".repeat(1024 * 1024) })],
  ["no envelope", encode(fields)],
];

for (const [what, bytes] of bad) {
  test(`a revision with ${what} is not read`, () => {
    assert.equal(openRevision(bytes, mesh, verify), undefined);
  });
}

test("the table of bad ones is about what it says: the same fields in order are read", () => {
  assert.notEqual(openRevision(sealedAs(fields), mesh, verify), undefined);
  const { value: _, ...deletion } = fields;
  assert.equal(openRevision(sealedAs(deletion), mesh, verify)?.value, undefined);
});

test("damaged revisions are refused without a throw", () => {
  let read = 0;
  for (const bytes of mutated([good.bytes], 20_000, 11)) {
    const revision = openRevision(bytes, mesh, verify);
    if (revision === undefined) continue;
    read++;
    assert.equal(revision.id, good.id);
  }
  assert.ok(read < 20_000);
});

test("a writer's own words: what it drafts is what is stamped", () => {
  const draft = { key: "k", generation: 3, time, parents: [lost] };
  const { stamp, parents, value } = writeRevision(mesh, draft, { a: 1 }, ben);
  assert.deepEqual(stamp, { generation: 3, timeMs: 5, counter: 0, writer: ben.id });
  assert.deepEqual({ parents, value }, { parents: [lost], value: { a: 1 } });
});
