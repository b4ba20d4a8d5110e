/**
 * What goes wrong. Which kinds of fault a run has at all is drawn from its seed, as TigerBeetle's
 * simulator does it: a run with everything on at once hides what one fault alone would show.
 */

import type { SimHost } from "./host.ts";
import type { SimMesh } from "./mesh.ts";
import type { SeededRandom } from "./random.ts";

export const faultKinds = [
  "crash",
  "tear",
  "power",
  "blackout",
  "partition",
  "bridge",
  "one-way",
  "cable",
  "clock",
  "engine",
  "disk",
  "stall",
  "freeze",
  "task",
] as const;

export type FaultKind = (typeof faultKinds)[number];

export class Faults {
  readonly #mesh: SimMesh;
  readonly #random: SeededRandom;
  readonly #causes: Readonly<Record<FaultKind, (host: SimHost) => void>> = {
    crash: (host) => this.#crash(host),
    tear: (host) => this.#tear(host),
    power: (host) => this.#power(host),
    blackout: () => this.#blackout(),
    partition: () => this.#partition(undefined),
    bridge: (host) => this.#partition(host),
    "one-way": (host) => this.#oneWay(host),
    cable: (host) => this.#cable(host),
    clock: (host) => this.#clock(host),
    engine: (host) => this.#engine(host),
    disk: (host) => this.#disk(host),
    stall: (host) => this.#stall(host),
    freeze: (host) => this.#freeze(host),
    task: (host) => this.#task(host),
  };
  /** Undone by `heal`, or sooner when their time has come. */
  #ongoing = new Map<() => void, () => void>();

  constructor(mesh: SimMesh, random: SeededRandom) {
    this.#mesh = mesh;
    this.#random = random;
  }

  /** Everything that is wrong is put right; what is on its way stays so. */
  heal(): void {
    for (const undo of [...this.#ongoing.keys()]) this.#undo(undo);
    this.#mesh.split = undefined;
    for (const host of this.#mesh.hosts) {
      host.clockOffsetMs = 0;
      host.disk.tearNext(undefined);
      if (!host.powered) host.powerOn();
      else host.startAgent();
    }
    this.#mesh.trace.say("fault", "everything is put right");
  }

  cause(kind: FaultKind): void {
    this.#causes[kind](this.#random.pick(this.#mesh.hosts));
  }

  #crash(host: SimHost): void {
    if (host.running() === undefined) return;
    this.#say(host, "agent is killed");
    host.killAgent();
    this.#for(this.#random.between(50, 6_000), () => this.#revive(host));
  }

  #tear(host: SimHost): void {
    if (host.running() === undefined) return;
    const outcome = this.#random.pick(["kept", "lost"] as const);
    host.disk.tearNext({ outcome, commit: this.#random.pick(["any", "revision"] as const) });
    this.#for(this.#random.between(500, 6_000), () => this.#revive(host));
  }

  #revive(host: SimHost): void {
    if (host.running() !== undefined || !host.powered) return;
    this.#say(host, "agent is started");
    host.startAgent();
  }

  #power(host: SimHost): void {
    if (!host.powered) return;
    this.#say(host, "loses power");
    host.powerOff();
    this.#for(this.#random.between(500, 15_000), () => {
      if (host.powered || !this.#mesh.hosts.includes(host)) return;
      this.#say(host, "has power again");
      host.powerOn();
    });
  }

  /** The whole site: machines come back one by one. */
  #blackout(): void {
    for (const host of [...this.#mesh.hosts]) this.#power(host);
  }

  /** The bridge, if there is one, belongs to both sides. */
  #partition(bridge: SimHost | undefined): void {
    const { network, hosts, world } = this.#mesh;
    const sides: [SimHost[], SimHost[]] = [[], []];
    for (const host of hosts) {
      if (host !== bridge) sides[this.#random.below(2) as 0 | 1].push(host);
    }
    if (this.#mesh.split !== undefined || sides.some((side) => side.length === 0)) return;
    const over = bridge === undefined ? "|" : `| ${bridge.name} |`;
    this.#mesh.trace.say("fault", `partition: ${names(sides[0])} ${over} ${names(sides[1])}`);
    if (bridge === undefined) this.#mesh.split = { sinceMs: world.nowMs(), sides };
    const cuts = sides[0].flatMap((left) =>
      sides[1].flatMap((right) => [cut(network, left, right), cut(network, right, left)]),
    );
    this.#for(this.#random.between(500, 25_000), () => {
      if (bridge === undefined) this.#mesh.split = undefined;
      for (const mend of cuts) mend();
      this.#mesh.trace.say("fault", "the partition heals");
    });
  }

  #oneWay(host: SimHost): void {
    const other = this.#random.pick(this.#mesh.hosts);
    if (other === host) return;
    this.#say(host, `cannot send to ${other.name}`);
    const mend = cut(this.#mesh.network, host, other);
    this.#for(this.#random.between(500, 12_000), () => {
      this.#say(host, `can send to ${other.name} again`);
      mend();
    });
  }

  #cable(host: SimHost): void {
    this.#say(host, "cable is pulled");
    const others = this.#mesh.hosts.filter((other) => other !== host);
    const { network } = this.#mesh;
    const cuts = others.flatMap((other) => [cut(network, host, other), cut(network, other, host)]);
    this.#for(this.#random.between(300, 12_000), () => {
      this.#say(host, "cable is back");
      for (const mend of cuts) mend();
    });
  }

  #clock(host: SimHost): void {
    const sign = this.#random.chance(50) ? 1 : -1;
    const offsetMs = sign * this.#random.pick([50, 300, 900, 5_000, 30_000]);
    this.#say(host, `clock is off by ${offsetMs} ms`);
    host.clockOffsetMs = offsetMs;
    this.#for(this.#random.between(2_000, 15_000), () => {
      this.#say(host, "clock is right again");
      host.clockOffsetMs = 0;
    });
  }

  #engine(host: SimHost): void {
    this.#say(host, "engine does not answer");
    host.engine.setDown(true);
    this.#for(this.#random.between(300, 14_000), () => {
      this.#say(host, "engine answers again");
      host.engine.setDown(false);
    });
  }

  #disk(host: SimHost): void {
    this.#say(host, "disk is full");
    host.disk.setFull(true);
    this.#for(this.#random.between(500, 10_000), () => {
      this.#say(host, "disk has room again");
      host.disk.setFull(false);
    });
  }

  #stall(host: SimHost): void {
    const forMs = this.#random.pick([120, 400, 1_500, 6_000]);
    this.#say(host, `main loop stands still for ${forMs} ms`);
    host.stall(forMs);
  }

  #freeze(host: SimHost): void {
    const forMs = this.#random.pick([300, 1_500, 6_000]);
    this.#say(host, `process is frozen for ${forMs} ms`);
    host.freeze(forMs);
  }

  #task(host: SimHost): void {
    const task = host.engine.crashOne();
    if (task !== undefined) this.#say(host, `loses ${task}`);
  }

  #for(forMs: number, undo: () => void): void {
    const cancel = this.#mesh.world.after(forMs, () => this.#undo(undo));
    this.#ongoing.set(undo, cancel);
  }

  #undo(undo: () => void): void {
    this.#ongoing.get(undo)?.();
    if (this.#ongoing.delete(undo)) undo();
  }

  #say(host: SimHost, what: string): void {
    this.#mesh.trace.say(host.name, what);
  }
}

/** Cuts one way and returns how to mend it. */
function cut(network: SimMesh["network"], from: SimHost, to: SimHost): () => void {
  return network.cut(from.node, to.node);
}

function names(hosts: readonly SimHost[]): string {
  return hosts.map(({ name }) => name).join(" ");
}
