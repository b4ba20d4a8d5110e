/**
 * A run of chaos: the mesh and what it serves, and one round after another. Decisions are in
 * plan.ts, ledger.ts and requests.ts; here they meet the hosts. Begin reading at `round`.
 */

import type { MeshView } from "../../../model/view.ts";
import { until } from "../../until.ts";
import type { Bed } from "../bed.ts";
import { type Answer, Load } from "../load.ts";
import { BedMesh } from "../mesh.ts";
import { type Container, differences, restarted } from "./containers.ts";
import { Faults } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { books, type Fault, leadMs, type Round } from "./plan.ts";
import { judge, type Trouble } from "./requests.ts";
import { Scribe } from "./scribe.ts";
import { containersOf, LogWatch } from "./watch.ts";

const service = "shop/web";
const port = 8080;
const replicas = 6;
/** As DESIGN promises for a partition of any length. */
const equalMsMax = 10_000;
/** From equal state to wanted = running: rollouts on their way, draining, ends of containers. */
const settledMsMax = 30_000;
/** Time between two requests: 50 a second, at the hosts in turn. */
const loadMs = 20;

const compose = `
name: shop
services:
  web:
    image: hello:1
    pull_policy: never
    stop_grace_period: 2s
    ports: ["${port}:80"]
    deploy: { replicas: ${replicas} }
`;

export type Outcome = { readonly said: readonly string[]; readonly findings: readonly string[] };

type Course = Outcome & { readonly troubles: readonly Trouble[] };

export class Run {
  readonly #bed: Bed;
  readonly #mesh: BedMesh;
  readonly #faults: Faults;
  readonly #scribe: Scribe;
  readonly #log = new LogWatch();

  private constructor(mesh: BedMesh) {
    this.#bed = mesh.bed;
    this.#mesh = mesh;
    this.#faults = new Faults(mesh);
    this.#scribe = new Scribe(mesh, new Ledger());
  }

  static async prepare(bed: Bed, clockHost: number): Promise<Run> {
    const mesh = await BedMesh.form(bed);
    await mesh.shareKey();
    const run = new Run(mesh);
    await run.#faults.falsifyClock(bed.host(clockHost));
    await mesh.untilWhole();
    await mesh.shoal(bed.host(1), ["deploy", "-f", "-"], compose);
    for (const book of books) {
      await run.#scribe.say({ kind: "deploy", service: book, replicas: 1, atMs: 0, host: 1 });
    }
    await run.#settle();
    return run;
  }

  async round(round: Round): Promise<Outcome> {
    const before = await this.#served();
    const { hosts } = this.#bed;
    const urls = hosts.map(({ address }) => `http://${address}:${port}/`);
    const load = await Load.start(this.#bed, urls, loadMs);
    const course = await this.#disturb(round).finally(() => load.stop());
    const { troubles } = course;
    const addresses = new Map(hosts.map(({ number, address }) => [number, address]));
    const { there, elsewhere, unexcused } = judge(load.failures, troubles, addresses);
    const said = [
      ...course.said,
      `of ${load.answers.length} requests failed ${there} at hosts in trouble, ${elsewhere} open ` +
        `elsewhere, ${unexcused.length} without excuse`,
      `writes so far: ${JSON.stringify(this.#scribe.ledger.counts)}`,
      ...this.#scribe.refusals.splice(0),
    ];
    const findings = [
      ...course.findings,
      ...unexcused.map((failure) => describe(failure, troubles)),
      ...restarted(round.faults, before, await this.#served()),
      ...(await this.#bugs()),
    ];
    return { said, findings };
  }

  /** The faults, their undoing, and the wait until all is as it should be, or is not in time. */
  async #disturb({ faults, forMs, writes }: Round): Promise<Course> {
    const startMs = Date.now();
    const at = async (ms: number) => {
      await until(() => Date.now() >= startMs + ms, ms + 60_000, "its time");
    };
    const saying = this.#attempt(async () => {
      await Promise.all(writes.map((write) => at(write.atMs).then(() => this.#scribe.say(write))));
    });
    await at(leadMs);
    const begun = await Promise.all(faults.map((fault) => this.#begin(fault)));
    await at(leadMs + forMs);
    const undoneMs = Date.now();
    await Promise.all(faults.map((fault) => this.#faults.end(fault)));
    const healedMs = Date.now();
    const whole = await this.#attempt(() => this.#mesh.untilWhole(equalMsMax));
    const wholeMs = Date.now();
    const unsaid = await saying;
    const settled = await this.#attempt(() => this.#settle());
    const said =
      `healed in ${healedMs - undoneMs} ms, whole after ${wholeMs - healedMs} ms more, ` +
      `settled after ${Date.now() - wholeMs} ms more`;
    const troubles = begun.map((one) => ({ ...one, undoneMs, wholeMs }));
    return { troubles, said: [said], findings: [...whole, ...unsaid, ...settled] };
  }

  async #begin(fault: Fault): Promise<{ fault: Fault; fromMs: number }> {
    const fromMs = Date.now();
    await this.#faults.begin(fault);
    return { fault, fromMs };
  }

  /** Wanted = running, and every node shows what the ledger says. */
  async #settle(): Promise<void> {
    let views: MeshView[] = [];
    await until(
      async () => {
        views = await this.#views();
        if (new Set(views.map(({ digest }) => digest)).size !== 1) throw new Error("unequal");
        const found = differences(views[0] as MeshView, await containersOf(this.#bed));
        if (found.length > 0) throw new Error(found.join("; "));
        return true;
      },
      settledMsMax,
      "wanted = running",
    );
    const { ledger } = this.#scribe;
    const faults = views.flatMap((view, index) => ledger.compare(`host${index + 1}`, view));
    ledger.settle(views[0] as MeshView);
    if (faults.length > 0) throw new Error(faults.join("; "));
  }

  /** Nothing is ever said about this service: its containers have no reason of their own to go. */
  async #served(): Promise<Container[]> {
    return (await containersOf(this.#bed)).filter((one) => one.service === service);
  }

  async #views(): Promise<MeshView[]> {
    return await Promise.all(this.#bed.hosts.map((host) => this.#mesh.view(host)));
  }

  /** What went wrong, as a finding: the rest of the round is worth knowing all the same. */
  async #attempt(work: () => Promise<void>): Promise<string[]> {
    try {
      await work();
      return [];
    } catch (error) {
      const { message, cause } = error as Error;
      return [cause === undefined ? message : `${message}: ${(cause as Error).message}`];
    }
  }

  async #bugs(): Promise<string[]> {
    const [view] = await this.#views();
    return this.#log.bugs((view as MeshView).nodes.map(({ node }) => node));
  }
}

function describe(
  { url, error, open, tookMs, atMs }: Answer,
  troubles: readonly Trouble[],
): string {
  const since = troubles.map(({ fault, fromMs }) => `${atMs - fromMs} ms after ${fault.kind}`);
  const state = open ? "open" : "not open";
  return `${url} failed: ${error}, ${state}, after ${tookMs} ms, sent ${since.join(", ")}`;
}
