/**
 * What a run of chaos does, drawn from its seed before anything is done: rounds of faults, each on
 * hosts of its own, with writes in between. Pure, so that a seed says all there is to repeat.
 *
 * At most three of the hosts are in trouble at once, and the clock of one is wrong at the most, so
 * that there is always somebody to be right.
 */

import { SeededRandom } from "../../../sim/random.ts";

/** Hosts are numbers from 1. */
export type Fault = Readonly<
  | { kind: "kill-agent"; host: number }
  | { kind: "freeze-agent"; host: number }
  | { kind: "freeze-host"; host: number }
  | { kind: "power"; host: number }
  | { kind: "cable"; host: number }
  | { kind: "cut"; from: number; to: number }
  | { kind: "one-way"; from: number; to: number }
  | { kind: "split"; pair: readonly [number, number] }
  | { kind: "slow"; host: number; kbits: number }
  | { kind: "loss"; host: number; percent: number }
  | { kind: "disk"; host: number }
  | { kind: "engine"; host: number }
  | { kind: "clock"; host: number; byMs: number }
>;

export type FaultKind = Fault["kind"];

/** Something said by an operator on a host of the mesh, ms after the round began. */
export type Write = Readonly<
  { atMs: number; host: number } & (
    | { kind: "deploy"; service: string; replicas: number }
    | { kind: "update"; service: string }
    | { kind: "scale"; service: string; replicas: number }
  )
>;

export type Round = {
  /** All begin together, `leadMs` into the round, and end together, `forMs` later. */
  readonly faults: readonly Fault[];
  readonly forMs: number;
  readonly writes: readonly Write[];
};

/** The only one whose agent's clock can be set: it runs with a library that lies about the time. */
export const clockHost = 5;
export const hostCount = 5;
export const books = ["a", "b", "c"].map((name) => `book/${name}`);
/** What a round takes beside its faults: the writes before, healing, settling, looking. */
export const restMs = 14_000;
const faultMs = { least: 4_000, most: 15_000 };
const writesOfRound = { least: 3, most: 6 };
/** Writes before the faults go to any host: what is acknowledged just before its end must last. */
export const leadMs = 2_000;

/** Kinds that a short run begins with: what kills most. The others come in a seeded order. */
const first: readonly FaultKind[] = ["power", "cable"];
export const kinds: readonly FaultKind[] = [
  "power",
  "cable",
  "kill-agent",
  "freeze-agent",
  "one-way",
  "engine",
  "loss",
  "cut",
  "split",
  "disk",
  "slow",
  "freeze-host",
  "clock",
];

/** Rounds that fill about so much time. Each kind comes once before any comes twice. */
export function drawPlan(seed: number, minutes: number): Round[] {
  const random = new SeededRandom(seed, "chaos");
  const rounds: Round[] = [];
  let queue: FaultKind[] = [...first, ...shuffle(random, without(kinds, first))];
  for (let leftMs = minutes * 60_000; leftMs > 0; ) {
    const count = rounds.length > 0 && random.chance(60) ? 2 : 1;
    if (queue.length < count) queue = [...queue, ...shuffle(random, kinds)];
    const round = drawRound(random, queue.slice(0, count));
    queue = queue.slice(count);
    rounds.push(round);
    leftMs -= round.forMs + restMs;
  }
  return rounds;
}

function drawRound(random: SeededRandom, wanted: readonly FaultKind[]): Round {
  const forMs = random.between(faultMs.least, faultMs.most);
  const free = shuffle(random, without(numbers(hostCount), [clockHost]));
  const faults: Fault[] = [];
  // Two queues meet: the last of one may be the first of the next.
  for (const kind of new Set(wanted)) {
    const host = kind === "clock" ? clockHost : (free.shift() as number);
    if (kind === "split") faults.push({ kind, pair: [host, free.shift() as number] });
    else faults.push(drawFault(random, kind, host));
  }
  const count = random.between(writesOfRound.least, writesOfRound.most);
  const writes = Array.from({ length: count }, () => drawWrite(random, faults, leadMs + forMs));
  return { faults, forMs, writes: writes.sort((left, right) => left.atMs - right.atMs) };
}

/** The other end of a cut is in no trouble of its own: one host's trouble is enough to know. */
function drawFault(random: SeededRandom, kind: Exclude<FaultKind, "split">, host: number): Fault {
  switch (kind) {
    case "cut":
    case "one-way": {
      const to = random.pick(without(numbers(hostCount), [host]));
      return { kind, from: host, to };
    }
    case "slow":
      return { kind, host, kbits: random.pick([256, 1_000, 4_000]) };
    case "loss":
      return { kind, host, percent: random.pick([2, 5, 15]) };
    case "clock":
      return { kind, host, byMs: random.pick([-3_600_000, -5_000, 400, 5_000, 3_600_000]) };
    default:
      return { kind, host };
  }
}

/** Nobody can type on a host that is off or frozen; a dead agent's host has nobody to ask. */
function canWrite(host: number, fault: Fault): boolean {
  if (!("host" in fault) || fault.host !== host) return true;
  return !["power", "freeze-host", "freeze-agent", "kill-agent"].includes(fault.kind);
}

function drawWrite(random: SeededRandom, faults: readonly Fault[], withinMs: number): Write {
  const atMs = random.below(withinMs);
  const asked = (host: number) => atMs < leadMs || faults.every((one) => canWrite(host, one));
  const open = numbers(hostCount).filter(asked);
  const inTrouble = open.filter((host) => faults.some((one) => troubled(one).includes(host)));
  const prefersTrouble = random.chance(50) && inTrouble.length > 0;
  const place = { atMs, host: random.pick(prefersTrouble ? inTrouble : open) };
  const service = random.pick(books);
  const kind = random.pick(["deploy", "update", "scale"] as const);
  if (kind === "update") return { ...place, kind, service };
  return { ...place, kind, service, replicas: random.between(1, 3) };
}

/** One line a round, as it is printed before it begins. */
export function describeRound({ faults, forMs, writes }: Round): string {
  const said = faults.map(({ kind, ...rest }) => {
    const words = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
    return `${kind} (${words.join(", ")})`;
  });
  return `${said.join(" and ")} for ${(forMs / 1_000).toFixed(1)} s, ${writes.length} writes`;
}

/** Hosts in whose name something goes wrong: for a cut, both ends; for a split, the lesser side. */
export function troubled(fault: Fault): readonly number[] {
  if (fault.kind === "split") return fault.pair;
  return "host" in fault ? [fault.host] : [fault.from, fault.to];
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function without<T>(items: readonly T[], gone: readonly T[]): T[] {
  return items.filter((item) => !gone.includes(item));
}

/** Fisher and Yates. */
function shuffle<T>(random: SeededRandom, items: readonly T[]): T[] {
  const shuffled = [...items];
  for (let index = shuffled.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [shuffled[index], shuffled[other]] = [shuffled[other] as T, shuffled[index] as T];
  }
  return shuffled;
}
