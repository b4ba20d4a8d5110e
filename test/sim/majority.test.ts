/**
 * A service with the isolation policy `majority`, through many partitions: how long it goes on
 * where only a minority is seen. The bounds are those that docs/failures.md states.
 * SHOAL_MAJORITY_SEEDS makes it more.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimHost } from "../../sim/host.ts";
import { serves } from "../../sim/ledger.ts";
import { SeededRandom } from "../../sim/random.ts";
import { QuietMesh } from "./quiet-mesh.ts";

const seeds = Number(process.env.SHOAL_MAJORITY_SEEDS ?? 60);
/** From the cut to the last replica of the lesser side out of service, and to its end, ms. */
const servesMsMax = 5_000;
const runsMsMax = 8_000;
const healedMsMax = 30_000;

type Sides = { readonly lesser: readonly SimHost[]; readonly greater: readonly SimHost[] };

/** At most half of the hosts are on the lesser side; with just half of them, neither may run it. */
function divide({ mesh }: QuietMesh, random: SeededRandom): Sides {
  const left = [...mesh.hosts];
  const size = 1 + random.below(Math.floor(left.length / 2));
  const lesser = Array.from({ length: size }, () => {
    return left.splice(random.below(left.length), 1)[0] as SimHost;
  });
  return { lesser, greater: left };
}

function cut({ mesh: { network } }: QuietMesh, { lesser, greater }: Sides): () => void {
  const mends = lesser.flatMap(({ node: one }) =>
    greater.flatMap(({ node: other }) => [network.cut(one, other), network.cut(other, one)]),
  );
  return () => {
    for (const mend of mends) mend();
  };
}

/** How long the lesser side served and ran the service, ms. */
function part(seed: number): { servedMs: number; ranMs: number } {
  const random = new SeededRandom(seed, "majority");
  const nodes = 3 + random.below(10);
  const quiet = new QuietMesh(nodes, seed);
  quiet.deploy(nodes, { isolation: "majority" });
  quiet.until(() => quiet.serving().length === nodes);
  const sides = divide(quiet, random);
  const mend = cut(quiet, sides);
  const on = (side: readonly SimHost[]) =>
    quiet.ledger.live().filter(({ host }) => side.includes(host));
  const servedMs = quiet.until(() => !on(sides.lesser).some(serves));
  const ranMs = servedMs + quiet.until(() => on(sides.lesser).length === 0);
  if (sides.lesser.length < sides.greater.length) {
    const served = () => {
      const tasks = on(sides.greater).filter(serves);
      return new Set(tasks.map(({ replica }) => replica)).size === nodes;
    };
    assert.ok(quiet.until(served) <= healedMsMax, `seed ${seed}: the greater side serves all`);
  }
  mend();
  const healed = () => quiet.serving().length === nodes && quiet.ledger.live().length === nodes;
  assert.ok(quiet.until(healed) <= healedMsMax, `seed ${seed}: whole again`);
  return { servedMs, ranMs };
}

test("a service that wants a majority goes on without one for no longer than is stated", (t) => {
  let worst = { servedMs: 0, ranMs: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const { servedMs, ranMs } = part(seed);
    assert.ok(servedMs <= servesMsMax && ranMs <= runsMsMax, `seed ${seed}: ${servedMs}, ${ranMs}`);
    worst = {
      servedMs: Math.max(worst.servedMs, servedMs),
      ranMs: Math.max(worst.ranMs, ranMs),
    };
  }
  t.diagnostic(`${seeds} partitions: served ${worst.servedMs} ms, ran ${worst.ranMs} ms at most`);
});
