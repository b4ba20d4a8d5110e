/** A simulated mesh without drawn faults, for tests that cause one fault and measure. */

import type { ServiceId } from "../../model/ids.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import { bounds, Checks } from "../../sim/checks.ts";
import type { SimHost } from "../../sim/host.ts";
import { Ledger, serves } from "../../sim/ledger.ts";
import { SimMesh } from "../../sim/mesh.ts";
import { Operators } from "../../sim/operators.ts";
import { SeededRandom } from "../../sim/random.ts";
import { Trace } from "../../sim/trace.ts";
import { World } from "../../sim/world.ts";

export class QuietMesh {
  readonly world = new World();
  readonly ledger = new Ledger(() => this.world.nowMs());
  readonly mesh: SimMesh;
  readonly checks: Checks;
  readonly operators: Operators;
  readonly lines: string[] = [];

  constructor(nodes: number, seed: number) {
    const trace = new Trace(
      () => this.world.nowMs(),
      (line) => this.lines.push(line),
    );
    let checks: Checks | undefined;
    this.mesh = new SimMesh(
      { seed, nodes, zones: 0 },
      this.world,
      {
        stepped: (host, _event, effects, moment) => checks?.stepped(host, effects, moment),
        died: (host) => this.ledger.loseHost(host),
        engine: (host) => ({
          started: (order) => {
            checks?.started(order, host());
            this.ledger.start(order, host());
          },
          changed: ({ task, state, ready }) => this.ledger.change(task, state, ready),
          vanished: (task) => this.ledger.change(task, "gone", false),
        }),
      },
      trace,
    );
    checks = new Checks(this.mesh, this.ledger, bounds.lossless);
    this.checks = checks;
    this.operators = new Operators(this.mesh, new SeededRandom(seed, "operators"), 12);
    this.run(3_000);
  }

  run(forMs: number): void {
    this.world.runUntil(this.world.nowMs() + forMs, () => {});
  }

  /** Virtual ms until the condition holds, to 10 ms; infinite when it does not within the limit. */
  until(condition: () => boolean, limitMs = 30_000): number {
    const startedMs = this.world.nowMs();
    while (!condition()) {
      if (this.world.nowMs() - startedMs >= limitMs) return Number.POSITIVE_INFINITY;
      this.run(10);
    }
    return this.world.nowMs() - startedMs;
  }

  deploy(replicas: number, change: Partial<Pick<ServiceSpec, "isolation" | "mode">> = {}): void {
    const service = "sim/web" as ServiceId;
    this.operators.deploy(
      {
        service,
        mode: "replicated",
        isolation: "run",
        update: {
          parallelism: 1,
          delayMs: 0,
          order: "start-first",
          monitorMs: 1_000,
          failureAction: "pause",
          maxFailureRatio: 0,
        },
        published: 8080,
        version: 1,
        broken: false,
        impossibleOn: "",
        ...change,
      },
      replicas,
    );
  }

  host(number: number): SimHost {
    return this.mesh.hosts[number - 1] as SimHost;
  }

  /** Distinct replicas in service, or tasks of one host in service. */
  serving(host?: SimHost): readonly string[] {
    const tasks = this.ledger.live().filter(serves);
    if (host !== undefined) return tasks.filter((one) => one.host === host).map(({ task }) => task);
    return [...new Set(tasks.map(({ replica }) => replica))];
  }

  /** Whether anyone but the host itself still routes to it. */
  routesTo(host: SimHost): boolean {
    return this.mesh
      .running()
      .filter((other) => other !== host)
      .some(({ routes }) =>
        routes.table.services.some(({ endpoints }) =>
          endpoints.some(({ node }) => node === host.node),
        ),
      );
  }

  cutOff(host: SimHost): () => void {
    const { network, hosts } = this.mesh;
    const others = hosts.filter((other) => other !== host);
    const mends = others.flatMap((other) => [
      network.cut(host.node, other.node),
      network.cut(other.node, host.node),
    ]);
    return () => {
      for (const mend of mends) mend();
    };
  }
}
