/**
 * Chaos: five real hosts under load and under writes, with faults drawn from a seed. After each
 * round everything is put right, and the mesh must be whole and must have lost nothing.
 *
 *   npm test -- test/hosts/chaos
 *   SHOAL_CHAOS_MINUTES=60 SHOAL_CHAOS_SEED=7 npm test -- test/hosts/chaos
 *
 * The name of a test is its round of the plan; plan.ts draws it from the seed alone, and a longer
 * run begins as a shorter one does.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Bed, onHosts } from "../bed.ts";
import { clockHost, describeRound, drawPlan, hostCount } from "./plan.ts";
import { Run } from "./run.ts";

const minutes = Number(process.env.SHOAL_CHAOS_MINUTES ?? 1);
const seed = Number(process.env.SHOAL_CHAOS_SEED ?? 7);
const bed = new Bed();
let run: Run;

describe(`chaos on five real hosts, seed ${seed}, ${minutes} min`, onHosts, () => {
  before(
    async () => {
      await bed.up(hostCount);
      run = await Run.prepare(bed, clockHost);
    },
    { timeout: 240_000 },
  );
  after(async () => await bed.down(), { timeout: 60_000 });

  for (const [index, round] of drawPlan(seed, minutes).entries()) {
    test(`round ${index + 1}: ${describeRound(round)}`, { timeout: 180_000 }, async (t) => {
      const { said, findings } = await run.round(round);
      for (const line of said) t.diagnostic(line);
      assert.deepEqual(findings, []);
    });
  }
});
