/**
 * Operators: they deploy, scale, update, remove, drain, admit and expel at whichever peer is up,
 * and remember what was acknowledged, because that must never be lost.
 */

import type { Revision } from "../crdt/register.ts";
import { openRevision } from "../crdt/register.ts";
import type { Signer } from "../crdt/signed.ts";
import type { SpecDocument } from "../model/documents.ts";
import type { NodeId, ServiceId } from "../model/ids.ts";
import { serviceId } from "../model/ids.ts";
import { keyOf } from "../model/parse.ts";
import type { Desired, WantedService } from "../node/desired.ts";
import { signSpec } from "../trust/authoring.ts";
import { verify } from "../trust/identity.ts";
import type { SimHost } from "./host.ts";
import type { SimMesh } from "./mesh.ts";
import type { SeededRandom } from "./random.ts";
import { drawWish, specOf, type Wish } from "./specs.ts";

export type Written = {
  readonly revision: Revision;
  /** The peer that took it. */
  readonly at: SimHost;
  acknowledged: boolean;
  /** It is nowhere. Neither: nobody answered, and it may be anywhere. */
  refused: boolean;
  /** Ids of the revisions that its writer had before it. */
  readonly seen: readonly string[];
};

export class Operators {
  readonly #mesh: SimMesh;
  readonly #random: SeededRandom;
  readonly #replicasMax: number;
  /** What they think is deployed: the last wish of each, whether or not it was accepted. */
  readonly wishes = new Map<ServiceId, Wish>();
  readonly written: Written[] = [];
  /** Who took an admission or a removal: perhaps nobody else has heard of it yet. */
  readonly #sponsors = new Set<SimHost>();
  /** Whose removal was asked for and not answered yet: whoever took it may have died of it. */
  readonly #doubtful = new Set<SimHost>();
  #services = 0;
  #person: Signer;

  constructor(mesh: SimMesh, random: SeededRandom, replicasMax: number) {
    this.#mesh = mesh;
    this.#person = mesh.people[0];
    this.#random = random;
    this.#replicasMax = replicasMax;
  }

  /** One thing that an operator may do on a day like this. */
  act(): void {
    const random = this.#random;
    const service = this.wishes.size === 0 ? undefined : random.pick([...this.wishes.keys()]);
    const dice = random.below(100);
    if (service === undefined || (dice < 20 && this.wishes.size < 5)) this.create();
    else if (dice < 40) this.scale(service, random.below(this.#replicasMax + 1));
    else if (dice < 55) this.update(service, false);
    else if (dice < 62) this.duel(service);
    else if (dice < 70) this.update(service, true);
    else if (dice < 80) this.remove(service);
    else this.setAvailability(random.pick(["active", "pause", "drain"] as const));
  }

  create(): void {
    const number = ++this.#services;
    const service = serviceId("sim", `s${number}`);
    const hosts = this.#mesh.hosts.map(({ node }) => node);
    const wish = drawWish(service, 8000 + number, hosts, this.#random);
    this.deploy(wish, 1 + this.#random.below(this.#replicasMax));
  }

  deploy(wish: Wish, replicas?: number): void {
    const { service } = wish;
    this.wishes.set(service, wish);
    const documents: SpecDocument[] = [{ kind: "service", spec: specOf(wish) }];
    if (replicas !== undefined) documents.push({ kind: "scale", service, replicas });
    const what = wish.broken ? "a broken revision" : `version ${wish.version}`;
    const size = replicas === undefined ? "" : `, ${replicas} replicas`;
    this.#write(documents, [], `deploys ${service}, ${what}${size}`);
  }

  update(service: ServiceId, broken: boolean): void {
    const wish = this.wishes.get(service);
    if (wish === undefined) return;
    this.deploy({ ...wish, version: wish.version + 1, broken });
  }

  /** Two people deploy at two peers in the same millisecond. */
  duel(service: ServiceId): void {
    for (const person of this.#mesh.people) {
      this.#person = person;
      this.update(service, false);
    }
  }

  scale(service: ServiceId, replicas: number): void {
    this.#write([{ kind: "scale", service, replicas }], [], `scales ${service} to ${replicas}`);
  }

  remove(service: ServiceId): void {
    this.wishes.delete(service);
    this.#write([], [`service/${service}`, `scale/${service}`], `removes ${service}`);
  }

  setAvailability(availability: "active" | "pause" | "drain"): void {
    const host = this.#random.pick(this.#mesh.hosts);
    this.#setAvailability(host.node, host.name, availability);
  }

  /** A new machine is admitted at a peer, and joins with what that peer knows. */
  admit(): void {
    const at = this.#peer();
    if (at === undefined) return;
    const { number, fact } = this.#mesh.admitNext();
    at.ask((host) => {
      host.write({ revisions: [], facts: [fact] }, (problems) => {
        if (problems.length > 0) return;
        const joiner = this.#mesh.addHost(number, [...host.agent.store.trust.entries().values()]);
        this.#mesh.trace.say(joiner.name, `joins at ${at.name}`);
        this.#sponsors.add(at);
        joiner.powerOn();
      });
    });
  }

  /** It took an admission or a removal that perhaps nobody else has heard of. */
  isSponsor(host: SimHost): boolean {
    return this.#sponsors.has(host);
  }

  /** A machine that is off is removed; should it be on again by then, its plug is pulled. */
  expel(gone: SimHost): void {
    const at = this.#peer();
    if (at === undefined || gone.running() !== undefined || this.isSponsor(gone)) return;
    const fact = this.#mesh.expulsion(gone);
    at.ask((host) => {
      this.#doubtful.add(gone);
      host.write({ revisions: [], facts: [fact] }, (problems) => {
        this.#doubtful.delete(gone);
        if (problems.length > 0 || !this.#mesh.hosts.includes(gone) || gone === at) return;
        this.#mesh.trace.say("op", `removes ${gone.name} at ${at.name}`);
        this.#sponsors.add(at);
        if (gone.powered) gone.powerOff();
        this.#mesh.drop(gone);
      });
    });
  }

  /** Machines go whose removal nobody answered for, where it is on somebody's disk all the same. */
  concludeRemovals(): void {
    const { hosts } = this.#mesh;
    for (const host of hosts.filter((one) => this.#doubtful.has(one))) {
      const isKnown = this.#mesh.running().some((peer) => {
        return peer.agent()?.store.trust.view().revoked.has(host.node);
      });
      if (!isKnown) continue;
      this.#mesh.trace.say("op", `finds ${host.name} removed`);
      host.powerOff();
      this.#mesh.drop(host);
    }
  }

  /** Puts right what would keep services from being whole: broken revisions, drained nodes. */
  settle({ services, members }: Desired): void {
    for (const { node, policy } of members) {
      const host = this.#mesh.find(node);
      if (host === undefined || policy.availability === "active") continue;
      this.#setAvailability(node, host.name, "active");
    }
    for (const { service, spec } of services.filter(isUnfit)) {
      const { BROKEN: _, ...env } = spec.workload.env;
      const workload = { ...spec.workload, env: { ...env, VERSION: `${env.VERSION}, mended` } };
      const document: SpecDocument = { kind: "service", spec: { ...spec, workload } };
      this.#write([document], [], `mends ${service}`);
    }
  }

  #setAvailability(node: NodeId, name: string, availability: "active" | "pause" | "drain"): void {
    const document: SpecDocument = { kind: "node", node, availability, labels: {} };
    this.#write([document], [], `sets ${name} to ${availability}`);
  }

  #write(documents: readonly SpecDocument[], removals: readonly string[], what: string): void {
    const at = this.#peer();
    const signer = this.#person;
    if (at === undefined) return;
    at.ask((host) => {
      const { store } = host.agent;
      const { id } = this.#mesh;
      const sign = (key: string, document: SpecDocument | null): Uint8Array =>
        signSpec(id, store.draft(key, host.moment()), document, signer);
      const revisions = [
        ...documents.map((document) => sign(keyOf(document), document)),
        ...removals.map((key) => sign(key, null)),
      ];
      const written = revisions.map((bytes): Written => {
        const revision = openRevision(bytes, id, verify) as Revision;
        const seen = store.register(revision.key)?.revisions.map(({ id }) => id) ?? [];
        return { revision, at, acknowledged: false, refused: false, seen };
      });
      this.written.push(...written);
      host.write({ revisions, facts: [] }, (problems) => {
        const refused = problems.length > 0;
        for (const one of written) Object.assign(one, { acknowledged: !refused, refused });
        const why = problems.map(({ code }) => code).join(", ");
        this.#mesh.trace.say("op", `${what} at ${at.name}${refused ? `: refused, ${why}` : ""}`);
      });
    });
  }

  #peer(): SimHost | undefined {
    const running = this.#mesh.running();
    return running.length === 0 ? undefined : this.#random.pick(running);
  }
}

/**
 * Only a new revision gets it going: what is wanted, or what is turned back to, never comes up, or
 * too much of it failed.
 */
export function isUnfit({ spec, rollout }: WantedService): boolean {
  const isBroken = [spec, rollout.spec].some(({ workload }) => workload.env.BROKEN === "yes");
  return isBroken || rollout.status.state === "paused";
}
