/** A prober's schedule on virtual time, against members that answer as a test says. */

import { ProbeSchedule, type ProbeSend } from "../../link/probe-schedule.ts";
import { type ProbeTimes, probeTimes } from "../../link/probe-watch.ts";
import type { NodeId } from "../../model/ids.ts";
import type { ProbeTarget, ProbeVerdict } from "../../ports.ts";
import { SeededRandom } from "../../sim/random.ts";

/** How long after it was sent an answer comes, and what it says; undefined for silence. */
export type Reply = (
  send: ProbeSend,
  nowMs: number,
) => { readonly afterMs: number; readonly lagMs?: number } | undefined;

type Due = { readonly atMs: number; readonly run: () => void };

export const answersIn =
  (afterMs: number): Reply =>
  () => ({ afterMs });

export function target(node: string, ...addresses: string[]): ProbeTarget {
  const list = addresses.length === 0 ? [`/ip4/${node}`] : addresses;
  return { node: node as NodeId, addresses: list, port: 1 };
}

export class ProbeBench {
  readonly schedule: ProbeSchedule;
  readonly sends: (ProbeSend & { readonly atMs: number })[] = [];
  readonly verdicts: (ProbeVerdict & { readonly atMs: number })[] = [];
  nowMs = 0;
  reply: Reply;
  /** Until then this machine is stalled: nothing is handled, answers queue, or are lost. */
  #stalledUntilMs = 0;
  #queue: Due[] = [];

  constructor(reply: Reply, seed = 1, times: ProbeTimes = probeTimes) {
    this.reply = reply;
    this.schedule = new ProbeSchedule(times, new SeededRandom(seed), 0);
  }

  observe(...targets: ProbeTarget[]): void {
    this.on({ kind: "observe", targets });
  }

  hasten(node: string): void {
    this.on({ kind: "hasten", node: node as NodeId });
  }

  stall(forMs: number, answers: "queue" | "lost" = "queue"): void {
    this.#stalledUntilMs = this.nowMs + forMs;
    if (answers === "queue") return;
    this.#queue = this.#queue.filter(({ atMs }) => atMs > this.#stalledUntilMs);
  }

  on(event: Parameters<ProbeSchedule["on"]>[0]): boolean {
    const step = this.schedule.on(event, this.nowMs);
    for (const verdict of step.verdicts) this.verdicts.push({ ...verdict, atMs: this.nowMs });
    for (const send of step.sends) {
      this.sends.push({ ...send, atMs: this.nowMs });
      const reply = this.reply(send, this.nowMs);
      if (reply === undefined) continue;
      const { node, sequence } = send;
      const lagMs = reply.lagMs ?? 0;
      this.#queue.push({
        atMs: this.nowMs + reply.afterMs,
        run: () => this.on({ kind: "answered", node, sequence, lagMs }),
      });
    }
    return step.expected;
  }

  /** As the worker does: what has arrived first, then the turn that is due. */
  run(forMs: number): void {
    const endMs = this.nowMs + forMs;
    for (;;) {
      const arrivalMs = Math.min(...this.#queue.map(({ atMs }) => atMs));
      const wanted = Math.min(arrivalMs, this.schedule.dueMs());
      const nextMs = Math.max(this.nowMs, wanted, this.#stalledUntilMs);
      if (nextMs > endMs) break;
      this.nowMs = nextMs;
      const arrived = this.#queue.filter(({ atMs }) => atMs <= nextMs);
      this.#queue = this.#queue.filter(({ atMs }) => atMs > nextMs);
      for (const { run } of arrived.sort((left, right) => left.atMs - right.atMs)) run();
      if (this.schedule.dueMs() <= nextMs) this.on({ kind: "due" });
    }
    this.nowMs = endMs;
  }

  /** "a reachable, a unreachable": changes only, or those of one node. */
  story(): string {
    const last = new Map<string, string>();
    const changes = this.verdicts.filter(({ node, state }) => {
      const changed = last.get(node) !== state;
      last.set(node, state);
      return changed;
    });
    return changes.map(({ node, state }) => `${node} ${state}`).join(", ");
  }

  /** When the node was first said to be in that state, at or after a time. */
  saidAt(state: ProbeVerdict["state"], sinceMs = 0): number | undefined {
    return this.verdicts.find((one) => one.state === state && one.atMs >= sinceMs)?.atMs;
  }
}
