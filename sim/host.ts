/**
 * One simulated machine: an agent with its host and its probing thread, an engine that outlives
 * the agent, a disk that outlives the power. The agent and node/host.ts are the real ones.
 */

import type { NodeFacts } from "../model/documents.ts";
import type { MeshId, NodeId } from "../model/ids.ts";
import { Agent } from "../node/agent.ts";
import type { Config } from "../node/config.ts";
import { Host, type HostTrace } from "../node/host.ts";
import type { Clock, Transport } from "../ports.ts";
import { type Identity, verify } from "../trust/identity.ts";
import type { EngineWatch } from "./engine.ts";
import { SimEngine } from "./engine.ts";
import { Loop } from "./loop.ts";
import type { Network } from "./network.ts";
import { SimProber } from "./prober.ts";
import { SeededRandom } from "./random.ts";
import { SimRoutes } from "./routes.ts";
import { SimDisk } from "./storage.ts";
import type { World } from "./world.ts";

export type HostOptions = {
  readonly world: World;
  readonly network: Network;
  readonly seed: number;
  readonly name: string;
  readonly mesh: MeshId;
  readonly identity: Identity;
  readonly labels: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly engineWatch: EngineWatch;
  readonly trace: HostTrace;
  /** Told before the agent is gone; "" when whoever caused it knows why. */
  readonly onDeath: (why: string) => void;
};

type Life = {
  readonly host: Host;
  readonly loops: readonly Loop[];
  readonly prober: SimProber;
  readonly sinceMs: number;
};

export class SimHost {
  readonly node: NodeId;
  readonly name: string;
  readonly engine: SimEngine;
  readonly disk = new SimDisk();
  routes = new SimRoutes();
  /** How far this machine's wall clock is ahead, ms. */
  clockOffsetMs = 0;
  powered = false;
  /** When the agent died last, virtual ms; infinite while it runs. */
  diedAtMs = 0;
  readonly #options: HostOptions;
  #life: Life | undefined;
  #starts = 0;
  #awakeSinceMs = 0;

  constructor(options: HostOptions) {
    const { world, seed, name, identity, engineWatch } = options;
    this.#options = options;
    this.node = identity.id as NodeId;
    this.name = name;
    this.engine = new SimEngine(world, new SeededRandom(seed, `engine ${name}`), engineWatch);
  }

  /** The agent's host while its process runs. */
  running(): Host | undefined {
    return this.#life?.host;
  }

  agent(): Agent | undefined {
    return this.#life?.host.agent;
  }

  /** Since when the agent runs, virtual ms; infinite when it does not. */
  upSinceMs(): number {
    return this.#life?.sinceMs ?? Number.POSITIVE_INFINITY;
  }

  /** When the last stall that was caused here ended or will end, virtual ms. */
  awakeSinceMs(): number {
    return this.#awakeSinceMs;
  }

  isStalled(): boolean {
    return this.#life?.loops.some((loop) => loop.isStalled()) ?? false;
  }

  powerOn(): void {
    this.powered = true;
    this.startAgent();
  }

  startAgent(): void {
    if (!this.powered || this.#life !== undefined) return;
    const { world, network, seed, name, mesh, identity, config, trace } = this.#options;
    const dice = new SeededRandom(seed, `agent ${name} ${this.#starts++}`);
    const died = () => this.#end("reset", "dies in the middle of a commit");
    const loop = new Loop(world, died);
    const thread = new Loop(world, died);
    const wire = network.attach(this.node);
    const prober = new SimProber(world, thread, dice, {
      send: (to, bytes) => network.datagram(this.node, to, bytes),
      onDatagram: (listener) => wire.onDatagram(listener),
    });
    const storage = this.disk.open();
    const agent = new Agent({
      mesh,
      signer: identity,
      verify,
      config,
      facts: this.#facts(),
      dnsAddress: "",
      loaded: storage,
      problems: [],
    });
    this.routes = new SimRoutes();
    const ports = {
      clock: this.#clock(loop),
      random: dice,
      transport: onLoop(wire, loop),
      probes: {
        observe: (targets) => prober.observe(targets),
        hasten: (node) => prober.hasten(node),
        beat: () => prober.beat(),
        onVerdict: (listener) => prober.onVerdict((verdict) => loop.run(() => listener(verdict))),
      },
      storage,
      engines: [engineOnLoop(this.engine, loop)],
      routes: [this.routes],
    } satisfies ConstructorParameters<typeof Host>[1];
    const host = new Host(agent, ports, trace);
    this.#life = { host, loops: [loop, thread], prober, sinceMs: world.nowMs() };
    this.diedAtMs = Number.POSITIVE_INFINITY;
    loop.run(() => host.open());
  }

  /** The process dies; its kernel resets its connections, its tasks run on. */
  killAgent(): void {
    this.#end("reset");
  }

  /** Everything stops, and nobody is told. */
  powerOff(): void {
    this.#end("silent");
    this.engine.loseAll();
    this.powered = false;
  }

  /** The main loop stands still; probes are answered. */
  stall(forMs: number): void {
    this.#life?.loops[0]?.stall(forMs);
    this.#wakeIn(forMs);
  }

  /** The whole process stands still, as a suspended machine does. */
  freeze(forMs: number): void {
    for (const loop of this.#life?.loops ?? []) loop.stall(forMs);
    this.#wakeIn(forMs);
  }

  #wakeIn(forMs: number): void {
    const atMs = this.#options.world.nowMs() + forMs;
    this.#awakeSinceMs = Math.max(this.#awakeSinceMs, atMs);
  }

  /** Runs in the agent's loop, when that has time. */
  ask(callback: (host: Host) => void): void {
    const life = this.#life;
    life?.loops[0]?.run(() => callback(life.host));
  }

  #end(how: "reset" | "silent", why = ""): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#options.onDeath(why);
    this.#life = undefined;
    this.diedAtMs = this.#options.world.nowMs();
    for (const loop of life.loops) loop.kill();
    life.host.close();
    life.prober.close();
    this.engine.close();
    this.#options.network.detach(this.node, how);
  }

  #clock(loop: Loop): Clock {
    const { world } = this.#options;
    return {
      monotonicMs: () => world.nowMs(),
      wallMs: () => world.wallMs() + this.clockOffsetMs,
      after: (delayMs, callback) => {
        let live = true;
        const cancel = world.after(delayMs, () => loop.run(() => live && callback()));
        return () => {
          live = false;
          cancel();
        };
      },
    };
  }

  #facts(): NodeFacts {
    return {
      name: this.name,
      addresses: [this.node],
      probePort: 1,
      version: "0.1.0",
      protocol: [1, 1],
      os: "linux",
      arch: "amd64",
      engines: ["process"],
      cpuMilli: 4_000,
      memoryBytes: 8 * 2 ** 30,
      labels: this.#options.labels,
      subnet: "",
      dataPath: "userspace",
      ailments: [],
    };
  }
}

function onLoop(wire: Transport, loop: Loop): Transport {
  return {
    ...wire,
    onFrame: (listener) => wire.onFrame((from, frame) => loop.run(() => listener(from, frame))),
    onLink: (listener) => wire.onLink((node, state) => loop.run(() => listener(node, state))),
  };
}

function engineOnLoop(engine: SimEngine, loop: Loop) {
  return {
    kind: engine.kind,
    start: (order) => engine.start(order),
    stop: (order) => engine.stop(order),
    remove: (task) => engine.remove(task),
    onReport: (listener) => engine.onReport((report) => loop.run(() => listener(report))),
    open: (identity) => engine.open(identity),
    close: () => engine.close(),
  } satisfies import("../ports.ts").Engine;
}
