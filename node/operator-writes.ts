/**
 * Operators' writes: checked, merged, put on disk, and only then acknowledged. While the disk
 * takes nothing, neither does this node; what was merged before stays with the host to be stored.
 */

import type { Store } from "../gossip/store.ts";
import type { MeshId } from "../model/ids.ts";
import type { Moment } from "../model/moment.ts";
import type { Problem } from "../model/problem.ts";
import type { Desired } from "./desired.ts";
import type { Effect, OperatorWrite } from "./effects.ts";
import { judgeWrite } from "./write-check.ts";

export class OperatorWrites {
  readonly #mesh: MeshId;
  readonly #store: Store;
  #problem: Problem | undefined;

  constructor(mesh: MeshId, store: Store) {
    this.#mesh = mesh;
    this.#store = store;
  }

  problems(): readonly Problem[] {
    return this.#problem === undefined ? [] : [this.#problem];
  }

  /** Ends in an answer, or in a store whose outcome comes back through `stored`. */
  take(request: number, write: OperatorWrite, look: () => Desired, moment: Moment): Effect[] {
    const refuse = (problems: readonly Problem[]): Effect[] => [
      { kind: "answer", request, problems },
    ];
    if (this.#problem !== undefined) return [...refuse([this.#problem]), ...this.retry()];
    const problems = judgeWrite(write, look(), this.#store, this.#mesh);
    if (problems.length > 0) return refuse(problems);
    const { revisions, facts } = write;
    const outcome = this.#store.submit({ revisions: [...revisions], facts: [...facts] }, moment);
    if (outcome.kind === "refused") return refuse(outcome.problems);
    return [{ kind: "store", writes: this.#store.takeWrites(), request }];
  }

  stored(request: number | undefined, problem: Problem | undefined): Effect[] {
    this.#problem = problem;
    if (request === undefined) return [];
    return [{ kind: "answer", request, problems: problem === undefined ? [] : [problem] }];
  }

  /** A disk that was full may have room again; the host still has what it refused. */
  retry(): Effect[] {
    return this.#problem === undefined ? [] : [{ kind: "store", writes: [], request: undefined }];
  }
}
