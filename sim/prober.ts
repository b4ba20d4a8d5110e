/**
 * The simulated probing thread: link/probe-schedule.ts on virtual time and simulated datagrams. It
 * has a loop of its own, so it answers while the agent's is stalled, and says for how long.
 */

import { ProbeSchedule, type ProbeStep } from "../link/probe-schedule.ts";
import { probeTimes } from "../link/probe-watch.ts";
import type { NodeId } from "../model/ids.ts";
import type { Probes, ProbeTarget, ProbeVerdict, Random } from "../ports.ts";
import type { Loop } from "./loop.ts";
import type { World } from "./world.ts";

export type ProbeWire = {
  send(to: NodeId, bytes: Uint8Array): void;
  onDatagram(listener: (from: NodeId, bytes: Uint8Array) => void): void;
};

const probeKind = 1;
const answerKind = 2;

export class SimProber implements Probes {
  readonly #world: World;
  readonly #loop: Loop;
  readonly #wire: ProbeWire;
  readonly #schedule: ProbeSchedule;
  #listener: (verdict: ProbeVerdict) => void = () => {};
  #beatMs: number;
  #armedMs = Number.POSITIVE_INFINITY;
  #disarm: () => void = () => {};
  #closed = false;

  constructor(world: World, loop: Loop, random: Random, wire: ProbeWire) {
    this.#world = world;
    this.#loop = loop;
    this.#wire = wire;
    this.#beatMs = world.nowMs();
    this.#schedule = new ProbeSchedule(probeTimes, random, world.nowMs());
    wire.onDatagram((from, bytes) => loop.run(() => this.#take(from, bytes)));
    this.#arm();
  }

  observe(targets: readonly ProbeTarget[]): void {
    this.#follow(this.#schedule.on({ kind: "observe", targets }, this.#world.nowMs()));
  }

  hasten(node: NodeId): void {
    this.#follow(this.#schedule.on({ kind: "hasten", node }, this.#world.nowMs()));
  }

  beat(): void {
    this.#beatMs = this.#world.nowMs();
  }

  onVerdict(listener: (verdict: ProbeVerdict) => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #take(from: NodeId, bytes: Uint8Array): void {
    const nowMs = this.#world.nowMs();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sequence = view.getFloat64(1);
    if (bytes[0] === probeKind) {
      this.#follow(this.#schedule.on({ kind: "heard", node: from, address: from }, nowMs));
      const lagMs = this.#schedule.lagMs(this.#beatMs, nowMs);
      this.#wire.send(from, datagram(answerKind, sequence, lagMs));
      return;
    }
    const lagMs = view.getFloat64(9);
    this.#follow(this.#schedule.on({ kind: "answered", node: from, sequence, lagMs }, nowMs));
  }

  #follow({ sends, verdicts }: ProbeStep): void {
    if (this.#closed) return;
    for (const { address, sequence } of sends) {
      this.#wire.send(address as NodeId, datagram(probeKind, sequence, 0));
    }
    for (const verdict of verdicts) this.#listener(verdict);
    this.#arm();
  }

  #arm(): void {
    const dueMs = this.#schedule.dueMs();
    const nowMs = this.#world.nowMs();
    if (this.#closed || (this.#armedMs <= dueMs && this.#armedMs > nowMs)) return;
    this.#disarm();
    this.#armedMs = dueMs;
    this.#disarm = this.#world.after(dueMs - nowMs, () => {
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#loop.run(() => {
        this.#follow(this.#schedule.on({ kind: "due" }, this.#world.nowMs()));
      });
    });
  }
}

function datagram(kind: number, sequence: number, lagMs: number): Uint8Array {
  const bytes = new Uint8Array(17);
  const view = new DataView(bytes.buffer);
  bytes[0] = kind;
  view.setFloat64(1, sequence);
  view.setFloat64(9, lagMs);
  return bytes;
}
