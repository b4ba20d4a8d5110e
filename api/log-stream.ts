/**
 * Logs of a task, a service or a stack, wherever the tasks run: this node's own from its engines,
 * the others' by passing the person's request on to their nodes, merged. A door.
 *
 * A request without `follow` gives all there is by time and ends; what cannot be had is a problem
 * at the end. With `follow` new tasks are picked up as they appear, here or elsewhere. A node that
 * comes into it after the request's signature has expired cannot be asked: the answer then ends
 * with a renewal, and the reader comes again with a fresh signature and where it stands.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { NodeId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import type { MeshView, TaskView } from "../model/view.ts";
import type { Backend } from "./backend.ts";
import { Channel, mergeByTime } from "./channel.ts";
import { newLines } from "./log-cursor.ts";
import { lostNodes, missing, nodesOf, selectTasks, startOf } from "./log-selection.ts";
import type { LogLine, LogRequest, Renewal } from "./shapes.ts";
import type { ViewFeed } from "./view-feed.ts";

export type LogItem = LogLine | Renewal;

/** Asks another node the same, in the person's name. */
export interface Elsewhere {
  /** Why no other node can be asked; undefined when they can. */
  readonly problem: Problem | undefined;
  /** Whether a node that was not asked yet would still take the signature. */
  isFresh(): boolean;
  read(node: NodeId, signal: AbortSignal): AsyncIterable<LogItem>;
}

export type LogSources = {
  readonly backend: Pick<Backend, "self" | "sessions">;
  readonly feed: ViewFeed;
  /** Undefined at a node that was itself asked by another: it speaks for itself alone. */
  readonly elsewhere: Elsewhere | undefined;
};

/** A node that failed is asked again no sooner: it may be starting, or on its way out. */
const retryMs = 3_000;

/** Throws at once when the request names what is not there. */
export function readLogs(
  request: LogRequest,
  sources: LogSources,
  signal: AbortSignal,
): AsyncIterable<LogItem> {
  const view = sources.feed.now();
  // Where another node asks, this view may lag behind: what it names is on its way.
  const { elsewhere, backend } = sources;
  if (elsewhere !== undefined) {
    const others = nodesOf(selectTasks(view, request), backend.self);
    const problem = missing(view, request) ?? (others.size > 0 ? elsewhere.problem : undefined);
    if (problem !== undefined) throw new OperationError(problem);
  }
  if (request.follow) return new Follower(request, sources, signal).lines();
  return readAll(view, request, sources, signal);
}

async function* readAll(
  view: MeshView,
  request: LogRequest,
  { backend, elsewhere }: LogSources,
  signal: AbortSignal,
): AsyncGenerator<LogItem> {
  const tasks = selectTasks(view, request);
  const failures: Problem[] = [];
  const local = tasks
    .filter(({ node }) => node === backend.self)
    .map((task) => guarded(localLines(task, request, backend, signal), failures));
  const remote: AsyncIterable<LogLine>[] = [];
  if (elsewhere !== undefined) {
    failures.push(...lostNodes(tasks));
    for (const node of nodesOf(tasks, backend.self).keys()) {
      remote.push(guarded(onlyLines(elsewhere.read(node, signal)), failures));
    }
  }
  yield* mergeByTime([...local, ...remote]);
  const told = failures.filter(({ code }) => code !== "task-unknown" || request.task !== undefined);
  if (told.length > 0) throw new OperationError(told);
}

/** One node that fails must not take the lines of the others away. */
async function* guarded(
  lines: AsyncIterable<LogLine>,
  failures: Problem[],
): AsyncGenerator<LogLine> {
  try {
    yield* lines;
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    failures.push(...error.problems);
  }
}

async function* onlyLines(items: AsyncIterable<LogItem>): AsyncGenerator<LogLine> {
  for await (const item of items) {
    if (!("renew" in item)) yield item as LogLine;
  }
}

async function* localLines(
  task: TaskView,
  request: LogRequest,
  { sessions }: Pick<Backend, "sessions">,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { follow } = request;
  const isNew = newLines(request.after?.[task.task]);
  const options = { follow, signal, ...startOf(task, request) };
  for await (const line of sessions.logs(task.task, options)) {
    if (isNew(line)) yield line;
  }
}

class Follower {
  readonly #request: LogRequest;
  readonly #sources: LogSources;
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #channel = new Channel<LogItem>();
  #tasks: ReadonlySet<string> = new Set();
  /** Asked, whatever became of it. */
  readonly #nodes = new Set<NodeId>();
  #readers = 0;
  /** Of what the request names, in this node's view: `unknown` until it has it for once. */
  #standing: "unknown" | "there" | "removed" = "unknown";

  constructor(request: LogRequest, sources: LogSources, signal: AbortSignal) {
    this.#request = request;
    this.#sources = sources;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  async *lines(): AsyncGenerator<LogItem> {
    void this.#watch();
    try {
      yield* this.#channel;
    } finally {
      this.#stop.abort();
    }
  }

  /** Ends with the signal, and the channel with it. */
  async #watch(): Promise<void> {
    try {
      for await (const view of this.#sources.feed.changes(this.#signal)) this.#attach(view);
      this.#channel.end();
    } catch (error) {
      this.#channel.end(error);
    }
  }

  #attach(view: MeshView): void {
    const { backend, elsewhere } = this.#sources;
    const tasks = selectTasks(view, this.#request);
    const local = tasks.filter(({ node }) => node === backend.self);
    for (const task of local) {
      if (!this.#tasks.has(task.task)) void this.#readTask(task);
    }
    // Those that the view has no more never come back: following a year must not keep them all.
    this.#tasks = new Set(local.map(({ task }) => task));
    if (elsewhere !== undefined) this.#attachNodes(nodesOf(tasks, backend.self), elsewhere);
    const isMissing = missing(view, this.#request) !== undefined;
    if (isMissing && this.#standing === "there") this.#standing = "removed";
    if (!isMissing) this.#standing = "there";
    this.#endIfDone();
  }

  /** What is removed and read to its end has nothing more to say. */
  #endIfDone(): void {
    if (this.#standing === "removed" && this.#readers === 0) this.#channel.end();
  }

  #attachNodes(others: ReadonlyMap<NodeId, boolean>, elsewhere: Elsewhere): void {
    for (const [node, runs] of others) {
      if (elsewhere.problem !== undefined) {
        this.#channel.end(new OperationError(elsewhere.problem));
      } else if (this.#nodes.has(node)) {
        // It is being read, or has ended, or is tried again later.
      } else if (elsewhere.isFresh()) {
        this.#nodes.add(node);
        void this.#readNode(node, elsewhere);
      } else if (runs) {
        void this.#renew();
      }
    }
  }

  async #readTask(task: TaskView): Promise<void> {
    const { backend } = this.#sources;
    this.#readers++;
    try {
      await this.#channel.pour(localLines(task, this.#request, backend, this.#signal));
    } catch (error) {
      const isGone =
        error instanceof OperationError &&
        error.problems.every(({ code }) => code === "task-unknown");
      if (!isGone || this.#request.task !== undefined) this.#channel.end(error);
    } finally {
      this.#readers--;
      if (this.#request.task !== undefined) this.#channel.end();
      this.#endIfDone();
    }
  }

  async #readNode(node: NodeId, elsewhere: Elsewhere): Promise<void> {
    this.#readers++;
    try {
      await this.#channel.pour(elsewhere.read(node, this.#signal));
      if (this.#request.task !== undefined) this.#channel.end();
    } catch (error) {
      if (!(error instanceof OperationError)) return this.#channel.end(error);
      void this.#retry(node);
    } finally {
      this.#readers--;
      this.#endIfDone();
    }
  }

  /** The same signature is not good twice at one node: the reader must come again. */
  async #retry(node: NodeId): Promise<void> {
    await sleep(retryMs, undefined, { signal: this.#signal }).catch(() => undefined);
    if (this.#signal.aborted) return;
    const { feed, backend } = this.#sources;
    const others = nodesOf(selectTasks(feed.now(), this.#request), backend.self);
    if (others.get(node) === true) await this.#renew();
    // Down, or without tasks of these: it counts as new if it ever has some again.
    else this.#nodes.delete(node);
  }

  async #renew(): Promise<void> {
    await this.#channel.push({ renew: true });
    this.#channel.end();
  }
}
