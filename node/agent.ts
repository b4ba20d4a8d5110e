/**
 * The agent: the whole behaviour of one node, as a state machine with no I/O.
 *
 * Events go in (a frame arrived, an engine reported, a timer fired, an operator asked), effects
 * come out (send, start, stop, store). node/host.ts performs the effects through ports; sim/
 * hosts hundreds of agents on one queue. Begin reading at `step`.
 *
 * Invariants:
 * - Placement, routes and DNS answers are never stored or sent: they are recomputed.
 * - A node writes only rows of its own document, plus what an operator signed and handed to it.
 * - Same state and same event give the same effects. Time and chance arrive with the event.
 */

import { Membership } from "../gossip/membership.ts";
import { Store, type Touched } from "../gossip/store.ts";
import type { NodeFacts, TaskFacts } from "../model/documents.ts";
import type { MeshId, NodeId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshView } from "../model/view.ts";
import { Placer } from "../placement/placer.ts";
import type { ProbeVerdict } from "../ports.ts";
import type { AgentOptions } from "./agent-options.ts";
import type { Config } from "./config.ts";
import type { Desired, Statuses } from "./desired.ts";
import type { Effect, Event, OwnFacts, Timer } from "./effects.ts";
import { LocalTasks } from "./local-tasks.ts";
import { readNode } from "./mesh-facts.ts";
import { Neighbours } from "./neighbours.ts";
import { OperatorWrites } from "./operator-writes.ts";
import { OwnRows } from "./own-rows.ts";
import { claimPorts } from "./routing.ts";
import { SyncPace } from "./sync-pace.ts";
import { Timers } from "./timers.ts";
import { buildView } from "./view.ts";
import { Worklist } from "./worklist.ts";

export class Agent {
  readonly mesh: MeshId;
  readonly self: NodeId;
  readonly store: Store;
  readonly #config: Config;
  readonly #membership: Membership;
  readonly #neighbours: Neighbours;
  readonly #pace: SyncPace;
  readonly #tasks: LocalTasks;
  readonly #worklist: Worklist;
  readonly #timers = new Timers();
  readonly #writes: OperatorWrites;
  readonly #rows: OwnRows;
  readonly #rttMs = new Map<NodeId, number>();
  #facts: NodeFacts;
  #dnsAddress: string;
  #engineProblems: readonly Problem[];
  #routeProblems: readonly Problem[] = [];
  #lateMs = 0;

  constructor(options: AgentOptions) {
    this.mesh = options.mesh;
    this.self = options.signer.id as NodeId;
    this.#config = options.config;
    this.#facts = options.facts;
    this.#dnsAddress = options.dnsAddress;
    this.#engineProblems = options.problems;
    const { mesh, signer, verify, loaded } = options;
    this.store = new Store({ mesh, self: signer, verify, ...(loaded ? { loaded } : {}) });
    this.#writes = new OperatorWrites(this.mesh, this.store);
    this.#rows = new OwnRows(this.self, this.store);
    this.#membership = new Membership({ self: this.self });
    this.#neighbours = new Neighbours(this.self);
    this.#pace = new SyncPace(options.config);
    this.#tasks = new LocalTasks(options.config);
    const placer = new Placer();
    this.#worklist = new Worklist(this.self, options.config, (input) => placer.place(input));
  }

  step(event: Event, moment: Moment): Effect[] {
    switch (event.kind) {
      case "opened":
        return this.#open(moment);
      case "frame-arrived":
        return this.#receive(event.from, event.frame, moment);
      case "link-changed":
        return this.#changeLink(event.node, event.state, moment);
      case "probed":
        return this.#judge(event.verdict, moment);
      case "engine-reported":
        this.#tasks.observe(event.report, moment);
        return this.#soonLook();
      case "routes-reported":
        this.#routeProblems = event.problems;
        return [];
      case "facts-learnt":
        return this.#learn(event.facts, event.dnsAddress);
      case "write-asked":
        return this.#writes.take(event.request, event.write, () => this.#look(moment), moment);
      case "stored":
        return this.#stored(event, moment);
      case "timer-fired":
        return this.#fire(event.timer, event.lateMs, moment);
    }
  }

  /** What this agent shows of the mesh. Recomputed; safe to call at any time. */
  view(moment: Moment): MeshView {
    const desired = this.#look(moment);
    return buildView({
      mesh: this.mesh,
      self: this.self,
      store: this.store,
      desired,
      problems: this.#problems(),
      claims: claimPorts(desired.services).problems,
      rttMs: this.#rttMs,
      convergedAgoMs: this.store.convergedAgoMs(moment),
    });
  }

  /** What should be, by all that this node knows now. */
  desired(moment: Moment): Desired {
    return this.#look(moment);
  }

  /** As of the last look; this node itself is not in it. */
  statuses(): Statuses {
    return this.#membership.statuses();
  }

  linked(): ReadonlySet<NodeId> {
    return this.#neighbours.linked();
  }

  #problems(): Problem[] {
    return [
      ...this.#engineProblems,
      ...this.#writes.problems(),
      ...this.#tasks.problems(),
      ...this.#routeProblems,
      ...this.store.problems(),
    ];
  }

  #open(moment: Moment): Effect[] {
    this.store.open(moment.wallMs);
    const rows = readNode(this.store, this.self);
    this.#tasks.restore(rows.tasks, moment.monotonicMs);
    return [
      ...this.#reconcile(moment),
      ...this.#timers.soon("idle", this.#config.idleReconcileMs),
      ...this.#timers.soon("sync", this.#pace.first(moment)),
    ];
  }

  #receive(from: NodeId, frame: Uint8Array, moment: Moment): Effect[] {
    const { replies, touched } = this.store.receive(from, frame, moment);
    const effects: Effect[] = replies.map((reply) => ({ kind: "send", to: from, frame: reply }));
    const isBack = this.#membership.hear(from, moment.monotonicMs);
    return [...effects, ...(isBack ? this.#soonLook() : []), ...this.#follow(touched, moment)];
  }

  #changeLink(node: NodeId, state: "up" | "down", moment: Moment): Effect[] {
    this.#neighbours.changeLink(node, state);
    if (state === "down") {
      this.#membership.linkDown(node, moment.monotonicMs);
      return [{ kind: "hasten", node }, ...this.#soonLook()];
    }
    return [{ kind: "send", to: node, frame: this.store.greet(moment) }];
  }

  #judge(verdict: ProbeVerdict, moment: Moment): Effect[] {
    this.#rttMs.set(verdict.node, verdict.rttMs);
    const { node, state } = verdict;
    const before = this.#membership.statuses().get(node)?.status ?? "alive";
    const isNews = this.#membership.observe(verdict, moment.monotonicMs);
    if (!isNews) return [];
    // What was said while it could not be reached is lost, even if the link never noticed.
    const isBack = state === "reachable" && before !== "alive";
    const greeting: Effect = { kind: "send", to: node, frame: this.store.greet(moment) };
    return [...(isBack ? [greeting] : []), ...this.#reconcile(moment)];
  }

  #learn(facts: OwnFacts, dnsAddress: string | undefined): Effect[] {
    this.#facts = { ...this.#facts, ...facts };
    if (dnsAddress !== undefined) this.#dnsAddress = dnsAddress;
    return this.#soonLook();
  }

  #soonLook(): Effect[] {
    return this.#timers.soon("reconcile", this.#config.reconcileMs);
  }

  #stored({ request, problem }: Event & { kind: "stored" }, moment: Moment): Effect[] {
    const effects = this.#writes.stored(request, problem, moment);
    if (effects.length === 0 || problem !== undefined) return effects;
    return [...effects, ...this.#timers.soon("flush", 0), ...this.#timers.soon("reconcile", 0)];
  }

  #fire(timer: Timer, lateMs: number, moment: Moment): Effect[] {
    this.#timers.fired(timer);
    this.#lateMs = Math.max(this.#lateMs, lateMs);
    switch (timer) {
      case "flush":
        return this.#flush(moment, false);
      case "reconcile":
      case "membership":
        return this.#reconcile(moment);
      case "idle":
        this.store.tidy(moment);
        return [
          ...this.#reconcile(moment),
          ...this.#flush(moment, true),
          ...this.#writes.retry(),
          ...this.#timers.soon("idle", this.#config.idleReconcileMs),
        ];
      case "sync":
        return this.#sync(moment);
    }
  }

  /** On disk before it is told: what peers heard from this node is never unsaid by a crash. */
  #flush(moment: Moment, withOthers: boolean): Effect[] {
    const writes = this.store.takeWrites(withOthers);
    const frames = this.store.takeBroadcast(moment);
    return [
      ...(writes.length > 0 ? [{ kind: "store", writes, request: undefined } as const] : []),
      ...frames.map((frame): Effect => ({ kind: "broadcast", frame })),
      ...(frames.length > 0 ? this.#stir(moment) : []),
    ];
  }

  /** One random linked member, and one thought down: that is what heals partitions. */
  #sync(moment: Moment): Effect[] {
    const desired = this.#look(moment);
    const targets = this.#neighbours.syncTargets(desired.members, moment.dice);
    const frame = this.store.greet(moment);
    const delayMs = this.#pace.next(this.store.convergedAgoMs(moment), moment);
    return [
      ...targets.map((to): Effect => ({ kind: "send", to, frame })),
      ...this.#timers.soon("sync", delayMs),
    ];
  }

  /** News may not have reached everyone: compare with somebody soon. */
  #stir(moment: Moment): Effect[] {
    const delayMs = this.#pace.stir(moment);
    return delayMs === undefined ? [] : this.#timers.set("sync", delayMs);
  }

  #follow(touched: Touched, moment: Moment): Effect[] {
    if (touched.nodes.size === 0 && touched.keys.size === 0 && !touched.trust) return [];
    return [
      ...this.#stir(moment),
      ...this.#soonLook(),
      ...this.#timers.soon("flush", this.#config.flushMs),
    ];
  }

  #look(moment: Moment): Desired {
    return this.#worklist.look(this.store, this.#membership.statuses(), moment);
  }

  /** Compare what is with what should be, once, and say so. */
  #reconcile(moment: Moment): Effect[] {
    const membership = this.#neighbours.judge(this.store, this.#membership, moment, this.#lateMs);
    this.#lateMs = 0;
    const { incarnation } = membership;
    // First, because what this node should run depends on what it says it can.
    const facts = this.#rows.facts(this.#facts, this.#tasks, this.#problems(), moment);
    this.#rows.writeFacts(facts, incarnation, moment);
    const desired = this.#look(moment);
    const work = this.#worklist.work({
      desired,
      tasks: this.#tasks,
      moment,
      frozen: membership.frozen,
      order: {
        mesh: this.mesh,
        node: this.self,
        nodeName: this.#facts.name,
        dnsAddress: this.#dnsAddress,
        subnet: this.#facts.subnet,
      },
    });
    this.#rows.writeWork(work.rows, membership.accuse, incarnation, moment);
    const wakeAtMs = Math.min(membership.wakeAtMs ?? Number.POSITIVE_INFINITY, work.wakeAtMs);
    const urgent = membership.changed || work.urgent;
    return [
      ...work.effects,
      ...this.#neighbours.follow(desired),
      ...this.#timers.soon("flush", urgent ? 0 : this.#config.flushMs),
      ...this.#timers.at("membership", wakeAtMs, moment),
    ];
  }

  /** Own tasks as they stand, for the doors that serve people. */
  ownTasks(): readonly TaskFacts[] {
    return this.#tasks.all().map(({ facts }) => facts);
  }
}
