/** An agent that starts with a spec and without its peers' documents takes nothing from them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openRevision } from "../../crdt/register.ts";
import type { NodeFacts } from "../../model/documents.ts";
import type { NodeId } from "../../model/ids.ts";
import type { Moment } from "../../model/moment.ts";
import { Agent } from "../../node/agent.ts";
import { defaults } from "../../node/config.ts";
import type { Effect, Event, Timer } from "../../node/effects.ts";
import { signSpec } from "../../trust/authoring.ts";
import { writeFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { identityFromSeed, verify } from "../../trust/identity.ts";
import { service, spec } from "./facts.ts";

const [admin, self, peer] = [1, 2, 3].map((seed) => {
  return identityFromSeed(new Uint8Array(32).fill(seed));
}) as [ReturnType<typeof identityFromSeed>, ReturnType<typeof identityFromSeed>, { id: string }];
const wallMs = 1_000_000;

const own: NodeFacts = {
  name: "self",
  version: "",
  protocol: [1, 1],
  os: "linux",
  arch: "x64",
  engines: ["process"],
  cpuMilli: 4_000,
  memoryBytes: 2 ** 33,
  labels: {},
  dataPath: "userspace",
  ailments: [],
  addresses: ["/ip4/127.0.0.1/tcp/1"],
  probePort: 1,
  subnet: "",
};

/** An agent on virtual time whose database has facts and a service of two replicas, no more. */
class Restarted {
  readonly started: { readonly atMs: number; readonly replica: string }[] = [];
  readonly #agent: Agent;
  readonly #timers = new Map<Timer, number>();
  #nowMs = 0;

  constructor(members: readonly string[]) {
    const { mesh, facts } = createMesh({
      name: "m",
      founder: admin,
      admins: [admin.id],
      node: self.id,
      nodeName: "self",
      nonce: new Uint8Array(32),
      timeMs: wallMs,
    });
    const admissions = members.map((subject) => {
      const fact = {
        kind: "admit",
        subject,
        role: "peer",
        name: subject,
        acceptance: null,
      } as const;
      return writeFact(mesh, fact, wallMs, admin).bytes;
    });
    const revisions = [
      { kind: "service", spec: spec("1") } as const,
      { kind: "scale", service, replicas: 2 } as const,
    ].map((document) => {
      const key = `${document.kind}/${service}`;
      const draft = { key, generation: 1, timeMs: wallMs, counter: 0, parents: [] };
      const bytes = signSpec(mesh, draft, document, admin);
      return [openRevision(bytes, mesh, verify)?.id ?? "", bytes] as const;
    });
    const tables = {
      fact: new Map([...facts, ...admissions].map((bytes, index) => [String(index), bytes])),
      revision: new Map(revisions),
      document: new Map(),
      meta: new Map(),
    };
    this.#agent = new Agent({
      mesh,
      signer: self,
      verify,
      config: defaults,
      facts: own,
      dnsAddress: "",
      loaded: { load: (table) => tables[table] },
      problems: [],
    });
    this.#take({ kind: "opened" });
    this.#take({
      kind: "engine-reported",
      report: { kind: "observed", engine: "process", tasks: [] },
    });
  }

  run(untilMs: number): void {
    for (;;) {
      const [next] = [...this.#timers].sort(([, left], [, right]) => left - right);
      if (next === undefined || next[1] > untilMs) return;
      this.#timers.delete(next[0]);
      this.#nowMs = Math.max(this.#nowMs, next[1]);
      this.#take({ kind: "timer-fired", timer: next[0], lateMs: 0 });
    }
  }

  #take(event: Event): void {
    const { monotonicMs, ...rest } = { monotonicMs: this.#nowMs, wallMs: wallMs + this.#nowMs };
    const moment: Moment = { ...rest, monotonicMs, dice: 7 };
    for (const effect of this.#agent.step(event, moment)) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    if (effect.kind === "set-timer") this.#timers.set(effect.timer, this.#nowMs + effect.delayMs);
    if (effect.kind === "start") {
      this.started.push({ atMs: this.#nowMs, replica: effect.order.replica });
    }
    if (effect.kind === "store") {
      this.#take({ kind: "stored", request: effect.request, problem: undefined });
    }
  }
}

test("alone in its mesh it starts what is missing at once", () => {
  const node = new Restarted([]);
  node.run(1_000);
  assert.equal(new Set(node.started.map(({ replica }) => replica)).size, 2);
});

test("while a peer is expected it starts nothing; once that is given up it starts all", () => {
  const node = new Restarted([peer.id as NodeId]);
  node.run(9_000);
  assert.deepEqual(node.started, []);
  node.run(20_000);
  assert.equal(new Set(node.started.map(({ replica }) => replica)).size, 2);
  assert.ok(node.started.every(({ atMs }) => atMs >= 9_000));
});
