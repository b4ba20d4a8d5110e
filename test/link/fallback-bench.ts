/** Fallback probing on virtual time, against members and paths that behave as a test says. */

import { type Asker, FallbackProbes } from "../../link/fallback-probes.ts";
import type { NodeId } from "../../model/ids.ts";
import type { Probes, ProbeTarget, ProbeVerdict } from "../../ports.ts";
import { FakeClock } from "../lb/fake-clock.ts";

export const far = "far" as NodeId;
const fullTarget: ProbeTarget = { node: far, addresses: ["/ip4/10.0.0.1/tcp/1"], port: 1 };
/** A stand-in's round trip over a stream, ms. */
const streamRttMs = 3;

export class FallbackBench {
  readonly clock = new FakeClock();
  readonly verdicts: (ProbeVerdict & { readonly atMs: number })[] = [];
  readonly udpTargets: ProbeTarget[] = [];
  readonly probes: FallbackProbes;
  asked = 0;
  dropped = 0;
  /** What the member does with questions over a stream. */
  stream: "answers" | "silent" | "breaks" = "answers";
  #hearUdp: (verdict: ProbeVerdict) => void = () => {};
  #changeLink: (node: NodeId, state: "up" | "down") => void = () => {};
  #hearStream: Parameters<Asker["onOutcome"]>[0] = () => {};
  #question = 0;

  constructor({ linked = true, hasUdp = true } = {}) {
    this.probes = new FallbackProbes({
      udp: hasUdp ? this.#udp() : undefined,
      asker: {
        ask: (node) => this.#ask(node),
        drop: () => {
          this.dropped++;
          this.#question++;
        },
        onOutcome: (listener) => {
          this.#hearStream = listener;
        },
      },
      links: {
        linked: () => (linked ? [far] : []),
        onLink: (listener) => {
          this.#changeLink = listener;
        },
      },
      clock: this.clock,
    });
    this.probes.onVerdict((verdict) => {
      this.verdicts.push({ ...verdict, atMs: this.clock.monotonicMs() });
    });
  }

  #udp(): Probes {
    return {
      observe: (targets) => this.udpTargets.splice(0, this.udpTargets.length, ...targets),
      hasten: () => {},
      beat: () => {},
      onVerdict: (listener) => {
        this.#hearUdp = listener;
      },
    };
  }

  #ask(node: NodeId): void {
    this.asked++;
    const question = ++this.#question;
    if (this.stream === "silent") return;
    this.clock.after(streamRttMs, () => {
      if (question !== this.#question || this.stream === "silent") return;
      this.#hearStream(node, this.stream === "breaks" ? "failed" : streamRttMs);
    });
  }

  /**
   * One word is one event, or time: "observe", "observe-0" (a member without UDP), "forget", "up",
   * "down", "udp+", "udp-", "udp-hung", "answers", "silent", "breaks", or a number of ms.
   */
  play(script: string): this {
    for (const word of script.split(" ")) this.#take(word);
    return this;
  }

  #take(word: string): void {
    const passes = Number(word);
    if (passes > 0) this.clock.advance(passes);
    else if (word === "observe") this.probes.observe([fullTarget]);
    else if (word === "observe-0") this.probes.observe([{ ...fullTarget, port: 0 }]);
    else if (word === "forget") this.probes.observe([]);
    else if (word === "up" || word === "down") this.#changeLink(far, word);
    else if (word === "answers" || word === "silent" || word === "breaks") this.stream = word;
    else if (word === "udp+") this.#hearUdp({ node: far, state: "reachable", rttMs: 1 });
    else if (word === "udp-") this.#hearUdp({ node: far, state: "unreachable", rttMs: 1 });
    else if (word === "udp-hung") this.#hearUdp({ node: far, state: "hung", rttMs: 1 });
    else throw new Error(`no such event: ${word}`);
  }

  /** "reachable unreachable": changes only. */
  story(): string {
    return this.verdicts
      .map(({ state }) => state)
      .filter((state, index, all) => state !== all[index - 1])
      .join(" ");
  }

  /** Since the beginning of time, ms. */
  nowMs(): number {
    return this.clock.monotonicMs();
  }
}
