/**
 * The host of an agent: turns what ports report into events, steps the agent, performs the
 * effects. The only loop. Real and simulated ports look the same from here; the clock is one of
 * them, so this file waits for nothing by itself.
 *
 * Invariant: events are handled one at a time, in the order of arrival; only the outcome of a store
 * goes before those already there, so that nothing comes between a write and its outcome.
 */

import type { EngineKind } from "../model/documents.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshView } from "../model/view.ts";
import type { Engine, Ports, Write } from "../ports.ts";
import type { Agent } from "./agent.ts";
import type { Effect, Event, OperatorWrite, Timer } from "./effects.ts";

/** Dice have 32 bits. */
const diceSides = 2 ** 32;
/** The probes' worker hears from the main loop this often, ms: see `Probes.beat`. */
const beatMs = 500;

export type HostTrace = (event: Event, effects: readonly Effect[], moment: Moment) => void;

export class Host {
  readonly agent: Agent;
  readonly #ports: Ports;
  readonly #engines: ReadonlyMap<EngineKind, Engine>;
  readonly #queue: Event[] = [];
  readonly #timers = new Map<Timer, () => void>();
  readonly #waiting = new Map<number, (problems: readonly Problem[]) => void>();
  readonly #unstored = new Map<string, Write>();
  readonly #afterStep = new Set<() => void>();
  readonly #trace: HostTrace | undefined;
  #nextRequest = 1;
  #busy = false;
  #closed = false;
  #stopBeat: () => void = () => {};

  constructor(agent: Agent, ports: Ports, trace?: HostTrace) {
    this.agent = agent;
    this.#ports = ports;
    this.#trace = trace;
    this.#engines = new Map(ports.engines.map((engine) => [engine.kind, engine]));
  }

  open(): void {
    const { transport, probes, engines, routes } = this.#ports;
    transport.onFrame((from, frame) => this.take({ kind: "frame-arrived", from, frame }));
    transport.onLink((node, state) => this.take({ kind: "link-changed", node, state }));
    probes.onVerdict((verdict) => this.take({ kind: "probed", verdict }));
    for (const engine of engines) {
      engine.onReport((report) => this.take({ kind: "engine-reported", report }));
    }
    const problems = routes.map((): readonly Problem[] => []);
    routes.forEach((door, index) => {
      door.onProblems((reported) => {
        problems[index] = reported;
        this.take({ kind: "routes-reported", problems: problems.flat() });
      });
    });
    this.#beat();
    this.take({ kind: "opened" });
    for (const engine of engines) engine.open({ mesh: this.agent.mesh, node: this.agent.self });
  }

  /** Stops listening and acting. Tasks keep running: that is what adoption is for. */
  close(): void {
    this.#closed = true;
    this.#stopBeat();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  take(event: Event): void {
    if (this.#closed) return;
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#handle(next);
      }
    } finally {
      this.#busy = false;
    }
    for (const listener of this.#afterStep) listener();
  }

  /** Calls back once, when the write is on this node's disk or refused. */
  write(write: OperatorWrite, answer: (problems: readonly Problem[]) => void): void {
    const request = this.#nextRequest++;
    this.#waiting.set(request, answer);
    this.take({ kind: "write-asked", request, write });
  }

  view(): MeshView {
    return this.agent.view(this.moment());
  }

  /** Called after each batch of events. Returns the way to stop it. */
  onStep(listener: () => void): () => void {
    this.#afterStep.add(listener);
    return () => this.#afterStep.delete(listener);
  }

  moment(): Moment {
    const { clock, random } = this.#ports;
    return {
      monotonicMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
      dice: random.below(diceSides),
    };
  }

  #beat(): void {
    this.#ports.probes.beat();
    this.#stopBeat = this.#ports.clock.after(beatMs, () => this.#beat());
  }

  #handle(event: Event): void {
    const moment = this.moment();
    const effects = this.agent.step(event, moment);
    this.#trace?.(event, effects, moment);
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    const { transport, probes, routes } = this.#ports;
    switch (effect.kind) {
      case "send":
        transport.send(effect.to, effect.frame);
        return;
      case "broadcast":
        transport.broadcast(effect.frame);
        return;
      case "store":
        this.#store(effect.writes, effect.request);
        return;
      case "answer": {
        this.#waiting.get(effect.request)?.(effect.problems);
        this.#waiting.delete(effect.request);
        return;
      }
      case "start":
        this.#engines.get(effect.engine)?.start(effect.order);
        return;
      case "stop":
        this.#engines.get(effect.engine)?.stop(effect.order);
        return;
      case "remove":
        this.#engines.get(effect.engine)?.remove(effect.task);
        return;
      case "install-routes":
        for (const door of routes) door.install(effect.table);
        return;
      case "admit":
        transport.admit(effect.nodes);
        return;
      case "maintain":
        transport.maintain(effect.peers);
        return;
      case "observe":
        probes.observe(effect.targets);
        return;
      case "hasten":
        probes.hasten(effect.node);
        return;
      case "abort":
        transport.abort(effect.node);
        return;
      case "set-timer":
        this.#setTimer(effect.timer, effect.delayMs);
        return;
    }
  }

  /**
   * What the disk refused is kept and tried again with the next commit. An operator's write is not:
   * it has been refused.
   */
  #store(writes: readonly Write[], request: number | undefined): void {
    const outcome = this.#ports.storage.commit([...this.#unstored.values(), ...writes]);
    if (outcome.kind === "stored") this.#unstored.clear();
    else if (request === undefined) {
      for (const write of writes) this.#unstored.set(`${write.table} ${write.key}`, write);
    }
    const problem = outcome.kind === "refused" ? outcome.problem : undefined;
    this.#queue.unshift({ kind: "stored", request, problem });
  }

  #setTimer(timer: Timer, delayMs: number): void {
    this.#timers.get(timer)?.();
    const { clock } = this.#ports;
    const dueMs = clock.monotonicMs() + delayMs;
    const cancel = clock.after(delayMs, () => {
      this.#timers.delete(timer);
      const lateMs = Math.max(0, clock.monotonicMs() - dueMs);
      this.take({ kind: "timer-fired", timer, lateMs });
    });
    this.#timers.set(timer, cancel);
  }
}
