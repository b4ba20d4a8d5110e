/** A plan of chaos keeps its promises, whatever the seed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clockHost, drawPlan, hostCount, kinds, leadMs, restMs, troubled } from "./plan.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const minutes = fc.integer({ min: 1, max: 60 });

test("the same seed draws the same plan, and another one another", () => {
  fc.assert(
    fc.property(seeds, minutes, (seed, length) => {
      assert.deepEqual(drawPlan(seed, length), drawPlan(seed, length));
      assert.notDeepEqual(drawPlan(seed, length), drawPlan(seed + 1, length));
    }),
    { numRuns: 30 },
  );
});

test("a longer run begins as the shorter one does", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const short = drawPlan(seed, 1);
      assert.deepEqual(drawPlan(seed, 10).slice(0, short.length), short);
    }),
    { numRuns: 30 },
  );
});

test("a plan fills its time and not much more", () => {
  fc.assert(
    fc.property(seeds, minutes, (seed, length) => {
      const takes = drawPlan(seed, length).reduce((sum, { forMs }) => sum + forMs + restMs, 0);
      assert.ok(takes >= length * 60_000 && takes < length * 60_000 + 30_000, `${takes} ms`);
    }),
    { numRuns: 30 },
  );
});

test("a host has one trouble at a time, and cuts have two ends", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      for (const { faults } of drawPlan(seed, 20)) {
        // The other end of a cut may well be somebody's victim too.
        const victims = faults.flatMap((fault) => {
          return "to" in fault ? [fault.from] : troubled(fault);
        });
        assert.equal(new Set(victims).size, victims.length);
        assert.ok(victims.length <= 4);
        assert.ok(faults.length >= 1 && faults.length <= 2);
        for (const fault of faults) {
          for (const host of troubled(fault)) assert.ok(host >= 1 && host <= hostCount);
          if ("to" in fault) assert.notEqual(fault.from, fault.to);
          if (fault.kind === "clock") assert.equal(fault.host, clockHost);
        }
      }
    }),
  );
});

test("every kind of fault comes before any comes a second time", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const drawn = drawPlan(seed, 20).flatMap(({ faults }) => faults.map(({ kind }) => kind));
      assert.deepEqual(drawn.slice(0, kinds.length).toSorted(), kinds.toSorted());
    }),
  );
});

test("writes are said in time, at hosts where somebody can be asked", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      for (const { faults, forMs, writes } of drawPlan(seed, 20)) {
        assert.ok(writes.length > 0);
        for (const { atMs, host } of writes) {
          assert.ok(atMs >= 0 && atMs < leadMs + forMs);
          const silenced = faults.some((fault) => {
            const kind = /^(?:power|freeze-agent|freeze-host|kill-agent)$/.test(fault.kind);
            return kind && "host" in fault && fault.host === host;
          });
          assert.ok(atMs < leadMs || !silenced);
        }
      }
    }),
  );
});
