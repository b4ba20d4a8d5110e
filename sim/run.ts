/**
 * One run: a mesh, a day on which things go wrong, and then peace, in which all must become well.
 * Equal seeds give equal runs, to the last line of the trace.
 */

import { Checks } from "./checks.ts";
import { Faults } from "./faults.ts";
import type { SimHost } from "./host.ts";
import { Ledger } from "./ledger.ts";
import { SimMesh } from "./mesh.ts";
import { Operators } from "./operators.ts";
import { SeededRandom } from "./random.ts";
import { Recovery } from "./recovery.ts";
import { describe, drawScenario } from "./scenario.ts";
import { Trace } from "./trace.ts";
import { World } from "./world.ts";

export type RunOptions = {
  readonly seed: number;
  readonly nodes?: number | undefined;
  readonly print?: (line: string) => void;
};

export type RunResult = {
  readonly seed: number;
  readonly nodes: number;
  /** Undefined when nothing was wrong. */
  readonly breach: string | undefined;
  readonly virtualMs: number;
  readonly events: number;
  readonly frames: number;
  /** Of the whole trace. */
  readonly sum: string;
};

/** The mesh finds itself before anything goes wrong, virtual ms. */
const calmMs = 3_000;
const sampleMs = 250;
const compareMs = 2_000;

export function run({ seed, nodes, print }: RunOptions): RunResult {
  const random = new SeededRandom(seed, "scenario");
  const scenario = drawScenario(random, nodes);
  const world = new World();
  const trace = new Trace(() => world.nowMs(), print);
  trace.say("seed", `${seed}: ${describe(scenario)}`);
  const ledger = new Ledger(() => world.nowMs());
  let checks: Checks | undefined;
  const mesh: SimMesh = new SimMesh(
    { seed, nodes: scenario.nodes, zones: scenario.zones },
    world,
    {
      stepped: (host, _event, effects, moment) => checks?.stepped(host, effects, moment),
      died: (host) => ledger.loseHost(host),
      engine: (host) => ({
        started: (order) => {
          checks?.started(order, host());
          ledger.start(order, host());
          trace.say(host().name, `starts ${order.task}`);
        },
        changed: ({ task, state, ready }) => {
          ledger.change(task, state, ready);
          if (state !== "preparing" && state !== "starting") say(host(), task, state);
        },
        vanished: (task) => ledger.change(task, "gone", false),
      }),
    },
    trace,
  );
  const say = (host: SimHost, task: string, state: string) => {
    trace.say(host.name, `${task} is ${state}`);
  };
  checks = new Checks(mesh, ledger, scenario.bounds);
  const operators = new Operators(mesh, new SeededRandom(seed, "operators"), scenario.replicasMax);
  const faults = new Faults(mesh, new SeededRandom(seed, "faults"));
  const { chaosMs, deedEveryMs, faultEveryMs, membershipChanges } = scenario;
  repeat(
    world,
    () => sampleMs,
    () => checks?.sample(),
  );
  repeat(
    world,
    () => compareMs,
    () => checks?.comparePlacements(),
  );

  let calm = true;
  const stop = () => checks?.breach() !== undefined;
  runWhile(world, calmMs, stop);
  mesh.network.faults = scenario.network;
  calm = false;
  const about = (meanMs: number) => random.between(1, 2 * meanMs);
  repeat(
    world,
    () => about(deedEveryMs),
    () => calm || operators.act(),
  );
  if (membershipChanges) {
    repeat(
      world,
      () => about(8_000),
      () => calm || changeMembers(mesh, operators, random),
    );
  }
  if (scenario.faults.length > 0) {
    const next = () => about(faultEveryMs);
    repeat(world, next, () => calm || faults.cause(random.pick(scenario.faults)));
  }
  runWhile(world, calmMs + chaosMs, stop);
  calm = true;
  mesh.network.faults = { lossPercent: 0, repeatPercent: 0, delayMinMs: 1, delayMaxMs: 3 };
  faults.heal();
  operators.concludeRemovals();
  new Recovery(mesh, ledger, checks, operators).run(() => {});
  const breach = checks.breach();
  const virtualMs = world.nowMs();
  trace.say("end", breach === undefined ? "all is well" : `FAILED: ${breach}`);
  const { events } = world;
  const { frames } = mesh.network;
  return { seed, nodes: scenario.nodes, breach, virtualMs, events, frames, sum: trace.sum() };
}

function changeMembers(mesh: SimMesh, operators: Operators, random: SeededRandom): void {
  const dead = mesh.hosts.filter((host) => !host.powered);
  if (dead.length > 0 && mesh.hosts.length > 3) operators.expel(random.pick(dead));
  else if (mesh.hosts.length < 30) operators.admit();
}

function repeat(world: World, everyMs: () => number, act: () => void): void {
  world.after(everyMs(), () => {
    act();
    repeat(world, everyMs, act);
  });
}

/** In slices, so that a breach ends the run where it happened. */
function runWhile(world: World, endMs: number, stop: () => boolean): void {
  world.runUntilTrue(stop, endMs, () => {});
}
