/**
 * A simulated mesh: hosts on one network and one virtual time, founded by one admin, who
 * operates it with one other person. Everything in it follows from the seed.
 */

import type { MeshId, NodeId } from "../model/ids.ts";
import { type Config, simulated } from "../node/config.ts";
import type { HostTrace } from "../node/host.ts";
import { openFact, writeFact } from "../trust/facts.ts";
import { createMesh } from "../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../trust/identity.ts";
import type { EngineWatch } from "./engine.ts";
import { SimHost } from "./host.ts";
import { Network } from "./network.ts";
import { SeededRandom } from "./random.ts";
import type { Trace } from "./trace.ts";
import type { World } from "./world.ts";

export type MeshWatch = {
  /** After each step of a host's agent. */
  readonly stepped: (host: SimHost, ...step: Parameters<HostTrace>) => void;
  readonly died: (host: SimHost) => void;
  readonly engine: (host: () => SimHost) => EngineWatch;
};

export type Split = {
  readonly sinceMs: number;
  readonly sides: readonly (readonly SimHost[])[];
};

export type MeshOptions = {
  readonly seed: number;
  readonly nodes: number;
  /** Zones that hosts are labelled with, in turn; 0 for no labels. */
  readonly zones: number;
  readonly config?: Config;
};

export class SimMesh {
  readonly seed: number;
  readonly world: World;
  readonly network: Network;
  readonly id: MeshId;
  readonly admin: Identity;
  /** Who may write specs. */
  readonly people: readonly [Identity, Identity];
  /** Members, dead ones included; removed ones are not. */
  readonly hosts: SimHost[] = [];
  /** Members that were, and must be nowhere. */
  readonly removed: SimHost[] = [];
  readonly trace: Trace;
  /** The two-sided partition there is, if any. Hosts that are off belong to no side. */
  split: Split | undefined;
  readonly #options: MeshOptions;
  readonly #watch: MeshWatch;
  readonly #facts: Uint8Array[] = [];
  /** The founder's genesis admits the first. */
  #admitted = 1;

  constructor(options: MeshOptions, world: World, watch: MeshWatch, trace: Trace) {
    this.world = world;
    this.#options = options;
    this.#watch = watch;
    this.seed = options.seed;
    this.trace = trace;
    this.network = new Network(this.world, new SeededRandom(options.seed, "network"));
    this.admin = identityOf(options.seed, 0);
    const first = identityOf(options.seed, 1);
    const genesis = createMesh({
      name: "sim",
      founder: this.admin,
      admins: [this.admin.id],
      node: first.id,
      nodeName: "n1",
      nonce: new Uint8Array(32),
      timeMs: this.world.wallMs(),
    });
    this.id = genesis.mesh;
    const operator = identityOf(options.seed, keysKept - 1);
    this.people = [this.admin, operator];
    const grant = { kind: "grant", subject: operator.id, role: "operator", name: "sim" } as const;
    this.#facts.push(...genesis.facts, this.#sign(grant));
    while (this.#admitted < options.nodes) this.#facts.push(this.admitNext().fact);
    for (let number = 1; number <= options.nodes; number++) {
      this.addHost(number, this.#facts).powerOn();
    }
  }

  running(): SimHost[] {
    return this.hosts.filter((host) => host.running() !== undefined);
  }

  find(node: NodeId): SimHost | undefined {
    return this.hosts.find((host) => host.node === node);
  }

  /** An admin's word that one more host may join. */
  admitNext(): { readonly number: number; readonly fact: Uint8Array } {
    const number = ++this.#admitted;
    const subject = identityOf(this.seed, number).id;
    const admission = { kind: "admit", subject, role: "peer", name: `n${number}` } as const;
    return { number, fact: this.#sign({ ...admission, acceptance: null }) };
  }

  /** A machine that is off. What the mesh's trust log says is on its disk, as joining leaves it. */
  addHost(number: number, facts: readonly Uint8Array[]): SimHost {
    const { world, network, seed, trace } = this;
    const { zones, config = simulated } = this.#options;
    const host: SimHost = new SimHost({
      world,
      network,
      seed,
      name: `n${number}`,
      mesh: this.id,
      identity: identityOf(seed, number),
      labels: zones === 0 ? {} : { zone: `z${number % zones}` },
      config,
      engineWatch: this.#watch.engine(() => host),
      trace: (...step) => this.#watch.stepped(host, ...step),
      onDeath: (why) => {
        this.#watch.died(host);
        if (why !== "") trace.say(host.name, why);
      },
    });
    this.#install(host, facts);
    this.hosts.push(host);
    trace.name(host.node, host.name);
    return host;
  }

  /** An admin's word that the host is no member any more. */
  expulsion(host: SimHost): Uint8Array {
    const cutOffMs = this.world.wallMs();
    return this.#sign({ kind: "revoke", subject: host.node, cutOffMs });
  }

  /** Its machine stands no longer here. */
  drop(host: SimHost): void {
    this.hosts.splice(this.hosts.indexOf(host), 1);
    this.removed.push(host);
  }

  #install(host: SimHost, facts: readonly Uint8Array[]): void {
    for (const bytes of facts) {
      const fact = openFact(bytes, this.id, verify);
      if (fact === undefined) throw new Error("a fact that this mesh does not accept");
      host.disk.put([{ table: "fact", key: fact.id, value: bytes }]);
    }
  }

  #sign(fact: Parameters<typeof writeFact>[1]): Uint8Array {
    return writeFact(this.id, fact, this.world.wallMs(), this.admin).bytes;
  }
}

/** Making keys costs more than using them: a few dozen serve all seeds, dealt anew for each. */
const keysKept = 61;
const identities: (Identity | undefined)[] = [];

function identityOf(seed: number, number: number): Identity {
  const index = (number + Math.imul(seed, 7)) % keysKept;
  const at = index < 0 ? index + keysKept : index;
  let identity = identities[at];
  if (identity === undefined) {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, at + 1);
    identity = identityFromSeed(bytes);
    identities[at] = identity;
  }
  return identity;
}
