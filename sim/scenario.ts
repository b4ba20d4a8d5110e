/** What kind of day it is, drawn from the seed: size, faults, how busy the operators are. */

import type { Bounds } from "./checks.ts";
import { bounds } from "./checks.ts";
import { type FaultKind, faultKinds } from "./faults.ts";
import type { NetworkFaults } from "./network.ts";
import type { SeededRandom } from "./random.ts";

export type Scenario = {
  readonly nodes: number;
  readonly zones: number;
  /** How long things go wrong, virtual ms. */
  readonly chaosMs: number;
  readonly faults: readonly FaultKind[];
  readonly network: NetworkFaults;
  /** Mean virtual ms between two faults, and between two deeds of operators. */
  readonly faultEveryMs: number;
  readonly deedEveryMs: number;
  readonly replicasMax: number;
  /** Machines join, and dead ones are removed. */
  readonly membershipChanges: boolean;
  readonly bounds: Bounds;
};

export function drawScenario(random: SeededRandom, nodes?: number): Scenario {
  const size = nodes ?? drawSize(random);
  const likely = random.pick([10, 25, 50]);
  const faults = faultKinds.filter(() => random.chance(likely));
  const lossPercent = random.chance(30) ? random.pick([1, 5, 15]) : 0;
  const slow = random.chance(25);
  return {
    nodes: size,
    zones: random.pick([0, 0, 2, 3]),
    chaosMs: random.between(10, 30) * 1_000,
    faults,
    network: {
      lossPercent,
      repeatPercent: random.chance(30) ? 10 : 0,
      delayMinMs: slow ? 5 : 1,
      delayMaxMs: slow ? random.pick([20, 120]) : 3,
    },
    faultEveryMs: random.pick([800, 2_000, 5_000]),
    deedEveryMs: random.pick([1_000, 3_000, 8_000]),
    replicasMax: Math.min(2 * size, 12),
    membershipChanges: random.chance(25),
    bounds: lossPercent > 0 ? bounds.lossy : bounds.lossless,
  };
}

/** Most bugs show among a few nodes, and small runs are many runs. */
function drawSize(random: SeededRandom): number {
  const dice = random.below(100);
  if (dice < 60) return random.between(3, 6);
  if (dice < 90) return random.between(7, 12);
  return random.between(13, 30);
}

/** For a person reading the trace. */
export function describe({ nodes, faults, network, chaosMs }: Scenario): string {
  const { lossPercent, repeatPercent, delayMinMs, delayMaxMs } = network;
  const kinds = faults.length === 0 ? "nothing" : faults.join(", ");
  const wire = `loss ${lossPercent} %, repeats ${repeatPercent} %, ${delayMinMs}-${delayMaxMs} ms`;
  return `${nodes} nodes; ${chaosMs / 1000} s of: ${kinds}; network: ${wire}`;
}
