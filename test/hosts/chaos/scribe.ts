/** The operator of a run: says the plan's writes with the real command, and keeps the ledger. */

import type { Host } from "../host.ts";
import type { BedMesh } from "../mesh.ts";
import { type Ledger, markName, type WriteOutcome } from "./ledger.ts";
import type { Write } from "./plan.ts";

/** A command on a host that freezes or goes dark meanwhile is given up: its outcome is unknown. */
const writeMsMax = 10_000;

/** Problems with which a node takes nothing. */
const refusals = /"code": *"(?:disk-full|clock-skewed|request-expired)"/;

export class Scribe {
  readonly ledger: Ledger;
  /** Of commands that failed, what they said. */
  readonly refusals: string[] = [];
  readonly #mesh: BedMesh;
  #next = 1;

  constructor(mesh: BedMesh, ledger: Ledger) {
    this.#mesh = mesh;
    this.ledger = ledger;
  }

  async say(write: Write): Promise<void> {
    const host = this.#mesh.bed.host(write.host);
    const mark = `w${this.#next++}`;
    const { service } = write;
    const detached = ["--detach", "--format", "json"];
    switch (write.kind) {
      case "scale": {
        const { replicas } = write;
        const words = ["service", "scale", `${service}=${replicas}`, ...detached];
        const outcome = await this.#run(host, words);
        return this.ledger.add({ service, host: write.host, replicas, outcome });
      }
      case "update": {
        const words = ["service", "update", "--env-add", `${markName}=${mark}`, service];
        const outcome = await this.#run(host, [...words, ...detached]);
        return this.ledger.add({ service, host: write.host, mark, outcome });
      }
      case "deploy": {
        const words = ["deploy", "-f", "-", ...detached];
        const { replicas } = write;
        const outcome = await this.#run(host, words, bookOf(service, mark, replicas));
        return this.ledger.add({ service, host: write.host, mark, replicas, outcome });
      }
    }
  }

  async #run(host: Host, words: readonly string[], input = ""): Promise<WriteOutcome> {
    if (host.pid === undefined) return "unknown";
    const options = { input, timeoutMs: writeMsMax };
    const { code, stderr, stdout } = await host.attempt(["shoal", ...words], options);
    if (code === 0) return "acknowledged";
    const said = `${stdout.trim()} ${stderr.trim()}`.trim();
    this.refusals.push(`${host.name}: shoal ${words.join(" ")}: exit ${code}: ${said}`);
    return refusals.test(stdout) ? "refused" : "unknown";
  }
}

/** A stack of this one service; its others stay as they are. */
function bookOf(service: string, mark: string, replicas: number): string {
  const [stack, name] = service.split("/");
  return `
name: ${stack}
services:
  ${name}:
    image: hello:1
    pull_policy: never
    stop_grace_period: 2s
    environment: { ${markName}: ${mark} }
    deploy: { replicas: ${replicas} }
`;
}
