/**
 * Operators' writes: checked, put on disk, and only then merged, told and acknowledged. One that
 * the disk refused has changed nothing, here or anywhere.
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
  /** On their way to the disk, by request. */
  readonly #pending = new Map<number, OperatorWrite>();
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
    const prepared = this.#store.prepare(write, moment);
    if (prepared.kind === "refused") return refuse(prepared.problems);
    this.#pending.set(request, write);
    return [{ kind: "store", writes: prepared.rows, request }];
  }

  /** Comes before any other event: nothing was judged between a write and its outcome. */
  stored(request: number | undefined, problem: Problem | undefined, moment: Moment): Effect[] {
    this.#problem = problem;
    const write = request === undefined ? undefined : this.#pending.get(request);
    if (request === undefined || write === undefined) return [];
    this.#pending.delete(request);
    const problems = problem === undefined ? this.#merge(write, moment) : [problem];
    return [{ kind: "answer", request, problems }];
  }

  #merge(write: OperatorWrite, moment: Moment): readonly Problem[] {
    const outcome = this.#store.submit(write, moment);
    return outcome.kind === "refused" ? outcome.problems : [];
  }

  /** A disk that was full may have room again; the host still has what it refused. */
  retry(): Effect[] {
    return this.#problem === undefined ? [] : [{ kind: "store", writes: [], request: undefined }];
  }
}
