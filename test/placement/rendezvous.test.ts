import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { negativeLog2 } from "../../placement/log-table.ts";
import {
  type Candidate,
  compareHashed,
  compareRank,
  digest,
  pairHash,
  rank,
  score,
  weightMax,
} from "../../placement/rendezvous.ts";

// Golden numbers: a node that computes others starts replicas that another has, so a change here
// needs a new number of the algorithm in specs.

const digests: readonly [name: string, high: number, low: number][] = [
  ["", -1421968373, -1880756559],
  ["a", 444641715, 1237711724],
  ["default/web", 1611262052, 1653795541],
  ["hello/web.1", -1458871492, 593009952],
  ["12D3KooWGjNd8Sg6h9Z8fZ", 237500897, -1910818311],
  ["grün/☃", 1816460227, 397443281],
];

const hashes: readonly [name: string, node: string, hash: number][] = [
  ["default/web", "node-a", 300600472],
  ["default/web", "node-b", 2832318850],
  ["hello/api", "node-a", 1369935586],
];

const logs: readonly [hash: number, log: number, of1: number, of3: number, of64: number][] = [
  [0, 1073741824, 65536, 196608, 4194304],
  [1, 1040187392, 67650, 202950, 4329604],
  [2, 1020559308, 68951, 206853, 4412873],
  [12345, 617678170, 113924, 341773, 7291174],
  [0x7fffffff, 33554432, 2097152, 6291456, 134217728],
  [0x80000000, 33554432, 2097152, 6291456, 134217728],
  [0xdeadbeef, 6750492, 10424239, 31272717, 667151316],
  [0xfffffffe, 1, 70368744177664, 211106232532992, 4503599627370496],
  [0xffffffff, 1, 70368744177664, 211106232532992, 4503599627370496],
];

/** Ranked with equal weights, and with 1, 1, 1, 1, 2, 4, 16 and 64. */
const ranks: readonly [name: string, equal: string, weighted: string][] = [
  ["default/web", "3 0 6 2 1 7 5 4", "7 6 3 5 0 2 4 1"],
  ["hello/api", "0 2 4 1 3 5 6 7", "7 0 6 5 4 2 1 3"],
  ["x/y", "6 0 5 1 4 7 2 3", "6 7 5 0 1 4 2 3"],
];

function candidates(weights: readonly number[]): Candidate[] {
  return weights.map((weight, index) => {
    return { id: `node${index}`, digest: digest(`node${index}`), weight };
  });
}

test("digests are the golden ones", () => {
  for (const [name, high, low] of digests) assert.deepEqual(digest(name), { high, low }, name);
});

test("hashes of pairs are the golden ones", () => {
  for (const [name, node, hash] of hashes) {
    assert.equal(pairHash(digest(name), digest(node)), hash, `${name} ${node}`);
  }
});

test("logarithms and scores are the golden ones", () => {
  for (const [hash, log, ...scores] of logs) {
    assert.equal(negativeLog2(hash), log, `log of ${hash}`);
    assert.deepEqual(
      [1, 3, 64].map((weight) => score(hash, weight)),
      scores,
      `score of ${hash}`,
    );
  }
});

test("ranks are the golden ones", () => {
  for (const [name, ...golden] of ranks) {
    const orders = [
      [1, 1, 1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 2, 4, 16, 64],
    ].map((weights) => {
      const ranked = rank(digest(name), candidates(weights));
      return ranked.map(({ id }) => id.slice("node".length)).join(" ");
    });
    assert.deepEqual(orders, golden, name);
  }
});

const hash = fc.integer({ min: 0, max: 0xffffffff });

test("the logarithm is right to one part in a million of a bit's worth", () => {
  let worst = 0;
  const measure = (value: number) => {
    const exact = -Math.log2((value + 1) / 2 ** 32);
    worst = Math.max(worst, Math.abs(negativeLog2(value) / 2 ** 25 - exact));
  };
  for (let value = 0; value < 2 ** 32; value += 9_999_991) measure(value);
  for (let bit = 0; bit < 32; bit++) for (const off of [-2, -1, 0, 1]) measure(2 ** bit + 2 + off);
  fc.assert(fc.property(hash, measure), { numRuns: 20_000 });
  assert.ok(worst < 1.5e-6, `off by ${worst}`);
});

test("the logarithm never rises with the hash, nor does a score fall with hash or weight", () => {
  fc.assert(
    fc.property(hash, hash, fc.integer({ min: 1, max: weightMax }), (one, other, weight) => {
      const [low, high] = one < other ? [one, other] : [other, one];
      assert.ok(negativeLog2(low) >= negativeLog2(high));
      assert.ok(score(low, weight) <= score(high, weight));
      assert.ok(score(low, weight) <= score(low, Math.min(weightMax, weight + 1)));
      assert.ok(Number.isSafeInteger(score(high, weight)));
    }),
    { numRuns: 20_000 },
  );
  // Where one table entry meets the next.
  for (let value = 2 ** 20; value < 2 ** 20 + 5000; value++) {
    assert.ok(negativeLog2(value) >= negativeLog2(value + 1), `at ${value}`);
  }
});

function winsOf(nodes: readonly Candidate[], services: number): number[] {
  const wins = nodes.map(() => 0);
  const indexes = new Map(nodes.map(({ id }, index) => [id, index]));
  for (let service = 0; service < services; service++) {
    const name = digest(`stack-${service % 97}/service-${service}`);
    const best = nodes.reduce((left, right) => (compareRank(name, left, right) < 0 ? left : right));
    const index = indexes.get(best.id) as number;
    wins[index] = (wins[index] as number) + 1;
  }
  return wins;
}

function chiSquarePerDegree(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  const terms = counts.map((count, index) => {
    const expected = (total * (shares[index] as number)) / whole;
    return (count - expected) ** 2 / expected;
  });
  return terms.reduce((sum, term) => sum + term, 0) / (counts.length - 1);
}

test("nodes win as often as their weights say, as chance would have it", () => {
  const cases = [new Array<number>(50).fill(1), [1, 2, 5], [1, 1, 2, 3, 5, 8, 13, 21, 34, 64]];
  for (const weights of cases) {
    const chi = chiSquarePerDegree(winsOf(candidates(weights), 30_000), weights);
    assert.ok(chi < 1.9, `${weights}: chi-square per degree of freedom ${chi}`);
  }
});

test("when a node leaves, only what it was winning moves", () => {
  const nodes = candidates([1, 1, 2, 3, 1, 1, 7, 1]);
  for (let service = 0; service < 2000; service++) {
    const name = digest(`s/${service}`);
    const before = rank(name, nodes).map(({ id }) => id);
    for (const lost of ["node3", "node6"]) {
      const after = rank(
        name,
        nodes.filter(({ id }) => id !== lost),
      ).map(({ id }) => id);
      assert.deepEqual(
        after,
        before.filter((id) => id !== lost),
      );
    }
  }
});

test("no two candidates are ever equal, even when their hashes are", () => {
  const twin = (id: string, weight = 1): Candidate => ({ id, digest: digest("same"), weight });
  const name = digest("default/web");
  assert.ok(compareRank(name, twin("a"), twin("b")) < 0);
  assert.ok(compareRank(name, twin("b"), twin("a")) > 0);
  assert.ok(compareRank(name, twin("b", 2), twin("a", 1)) < 0);
  assert.equal(compareRank(name, twin("a"), twin("a")), 0);
});

test("equal scores of unequal hashes go to the higher hash", () => {
  const name = digest("default/web");
  const byScore = new Map<number, Candidate>();
  let pairs = 0;
  for (let low = 0; low < 50_000; low++) {
    const one: Candidate = { id: "same", digest: { high: 0, low }, weight: 1 };
    const hash = pairHash(name, one.digest);
    const other = byScore.get(score(hash, 1));
    byScore.set(score(hash, 1), one);
    if (other === undefined) continue;
    pairs++;
    const otherHash = pairHash(name, other.digest);
    const [better, worse] = hash > otherHash ? [one, other] : [other, one];
    assert.ok(compareRank(name, better, worse) < 0);
    assert.ok(
      compareHashed(name, worse, Math.min(hash, otherHash), better, Math.max(hash, otherHash)) > 0,
    );
  }
  assert.ok(pairs > 5, `${pairs} pairs`);
});

test("comparing without scores agrees with comparing by scores", () => {
  const weight = fc.integer({ min: 1, max: weightMax });
  const near = fc.oneof(hash, fc.integer({ min: 0xfffffff0, max: 0xffffffff }), fc.nat(3));
  fc.assert(
    fc.property(near, near, weight, weight, (leftHash, rightHash, leftWeight, rightWeight) => {
      const name = digest("default/web");
      const left = { id: "left", digest: digest("left"), weight: leftWeight };
      const right = { id: "right", digest: digest("right"), weight: rightWeight };
      const plain =
        score(rightHash, rightWeight) - score(leftHash, leftWeight) || rightHash - leftHash;
      const quick = compareHashed(name, left, leftHash, right, rightHash);
      if (plain !== 0) assert.equal(Math.sign(quick), Math.sign(plain));
      else assert.notEqual(quick, 0);
      assert.equal(
        Math.sign(quick),
        -Math.sign(compareHashed(name, right, rightHash, left, leftHash)),
      );
    }),
    { numRuns: 20_000 },
  );
});
