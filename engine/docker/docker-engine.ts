/**
 * The Docker engine: tasks as containers of a local daemon. A door. Begin reading at `#apply`.
 *
 * What runs is what the daemon says: events tell which container to look at, and a listing every
 * now and then finds what no event told. Memory holds only what the daemon cannot know yet: tasks
 * on their way to a container, and those it refused.
 */

import type Dockerode from "dockerode";
import type { MeshId, NodeId, TaskId } from "../../model/ids.ts";
import { OperationError, type Problem } from "../../model/problem.ts";
import type { CheckTest } from "../../model/spec.ts";
import type {
  Engine,
  EngineReport,
  ExecOptions,
  ExecSession,
  LogChunk,
  LogOptions,
  Sessions,
  StartOrder,
  StopOrder,
  TaskStats,
} from "../../ports.ts";
import { pause } from "../pause.ts";
import { probe } from "../probe.ts";
import { Reports } from "../reports.ts";
import { hear, identityOf, isOver } from "../task-entry.ts";
import { TaskWatch } from "../task-watch.ts";
import { DockerDaemon } from "./daemon.ts";
import { type DockerEntry, newDockerEntry } from "./docker-entry.ts";
import { runInContainer } from "./docker-exec.ts";
import { DockerSessions } from "./docker-sessions.ts";
import { argvOf, type Inspected, readInspection, watchPlan } from "./inspection.ts";
import { type LabelledTask, labelFilter, readLabels } from "./labels.ts";
import { Launcher } from "./launcher.ts";
import { DockerGone, DockerRefusal, refusalOf } from "./refusals.ts";
import { Survey } from "./survey.ts";

export type DockerEngineOptions = {
  readonly socketPath: string;
  /** As people know the node: it stands in problems. */
  readonly nodeName: string;
  readonly log?: (line: string) => void;
};

export function openDockerEngine(options: DockerEngineOptions): Engine & Sessions {
  return new DockerEngine(options);
}

/** A listing finds what events missed; the daemon answers it in a few ms. */
const surveyIntervalMs = 10_000;
/** The first report waits for the first checks of what was found running, but no longer. */
const firstChecksMs = 1_000;

/** Events after which a container is not what it was; every check makes several others. */
const telling = /^(?:start|die|destroy|oom|pause|unpause|health_status.*)$/;

class DockerEngine implements Engine, Sessions {
  readonly kind = "docker";
  readonly #nodeName: string;
  readonly #log: (line: string) => void;
  readonly #daemon: DockerDaemon;
  readonly #launcher: Launcher;
  readonly #survey: Survey;
  readonly #sessions: DockerSessions;
  readonly #reports = new Reports("docker");
  readonly #entries = new Map<TaskId, DockerEntry>();
  #filter: readonly string[] = [];
  #isReporting = false;
  #isClosed = false;
  #surveyTimer: NodeJS.Timeout | undefined;

  constructor({ socketPath, nodeName, log = () => {} }: DockerEngineOptions) {
    this.#nodeName = nodeName;
    this.#log = log;
    this.#daemon = new DockerDaemon(socketPath, {
      onUp: () => this.#onUp(),
      onDown: (detail) => this.#onDown(detail),
      onEvent: ({ id, action }) => {
        if (telling.test(action)) this.#survey.look(id);
      },
    });
    this.#launcher = new Launcher(this.#daemon, nodeName);
    this.#survey = new Survey(this.#daemon, {
      filter: () => this.#filter,
      isKnown: (id, state) => this.#find(id)?.listed === state,
      onInspected: (info, listed) => this.#apply(info, listed),
      onGone: (id) => this.#drop(id),
      known: () => this.#containers(),
      onRound: () => this.#publish(),
    });
    this.#sessions = new DockerSessions(
      this.#daemon,
      nodeName,
      (task) => this.#entries.get(task)?.container,
    );
  }

  onReport(listener: (report: EngineReport) => void): void {
    this.#reports.onReport(listener);
  }

  open({ mesh, node }: { readonly mesh: MeshId; readonly node: NodeId }): void {
    this.#filter = labelFilter(mesh, node);
    this.#daemon.open(this.#filter);
    this.#surveyTimer = setInterval(() => {
      if (this.#isReporting) this.#survey.lookAtAll();
    }, surveyIntervalMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#isReporting = false;
    clearInterval(this.#surveyTimer);
    for (const entry of this.#entries.values()) {
      entry.watch?.close();
      entry.cancel.abort();
    }
    this.#daemon.close();
  }

  start(order: StartOrder): void {
    if (this.#isClosed || this.#entries.has(order.task)) return;
    const entry = newDockerEntry(identityOf(order, Date.now()));
    this.#entries.set(order.task, entry);
    entry.isLaunching = true;
    this.#publish();
    void this.#launch(entry, order);
  }

  stop(order: StopOrder): void {
    const entry = this.#entries.get(order.task);
    if (entry === undefined || isOver(entry) || entry.isStopping) return;
    entry.isStopping = true;
    entry.phase = "stopping";
    this.#publish();
    if (entry.isLaunching) entry.cancel.abort();
    else void this.#stop(entry, order);
  }

  remove(task: TaskId): void {
    const entry = this.#entries.get(task);
    if (entry === undefined || entry.removed) return;
    entry.removed = true;
    entry.cancel.abort();
    this.#publish();
    if (!entry.isLaunching) void this.#remove(entry);
  }

  logs(task: TaskId, options: LogOptions): AsyncIterable<LogChunk> {
    return this.#sessions.logs(task, options);
  }

  exec(task: TaskId, options: ExecOptions): Promise<ExecSession> {
    return this.#sessions.exec(task, options);
  }

  stats(task: TaskId): Promise<TaskStats> {
    return this.#sessions.stats(task);
  }

  async #onUp(): Promise<void> {
    await this.#survey.all();
    for (const entry of this.#entries.values()) {
      if (entry.removed && !entry.isLaunching) void this.#remove(entry);
    }
    const watches = [...this.#entries.values()].flatMap(({ watch }) => watch?.firstRound ?? []);
    await pause(firstChecksMs, Promise.all(watches));
    this.#isReporting = !this.#isClosed;
    this.#publish();
  }

  #onDown(detail: string): void {
    this.#isReporting = false;
    this.#log(`the Docker engine does not answer: ${detail}`);
    const node = this.#nodeName;
    this.#reports.unavailable({ code: "engine-unavailable", engine: "docker", node, detail });
  }

  #publish(): void {
    if (this.#isReporting) this.#reports.observed(this.#entries.values());
  }

  #find(container: string): DockerEntry | undefined {
    for (const entry of this.#entries.values()) if (entry.container === container) return entry;
    return undefined;
  }

  #containers(): string[] {
    return [...this.#entries.values()].flatMap(({ container }) => container ?? []);
  }

  /** What the daemon says of one of our containers becomes what we say of its task. */
  #apply(info: Dockerode.ContainerInspectInfo, listed: string): void {
    const labelled = readLabels(info.Config.Labels ?? {});
    if (labelled === undefined || this.#isClosed) return;
    const entry = this.#entries.get(labelled.identity.task) ?? newDockerEntry(labelled.identity);
    this.#entries.set(labelled.identity.task, entry);
    entry.container = info.Id;
    entry.listed = listed;
    if (isOver(entry) || entry.removed) return;
    const inspected = readInspection(info, labelled);
    switch (inspected.phase) {
      case "created":
        // Its agent died between the two steps: what was ordered is carried on with.
        if (!entry.isLaunching && !entry.isStopping) void this.#finishStart(entry, info);
        return;
      case "up":
        entry.phase = entry.isStopping ? "stopping" : "up";
        entry.endpoint = inspected.endpoint;
        entry.stopSignal = (info.Config as { StopSignal?: string }).StopSignal;
        this.#watch(entry, info, labelled, inspected);
        return;
      case "exited":
        this.#end(entry, inspected);
    }
  }

  #watch(
    entry: DockerEntry,
    info: Dockerode.ContainerInspectInfo,
    labelled: LabelledTask,
    inspected: Inspected,
  ): void {
    entry.watch ??= new TaskWatch(
      watchPlan(info, labelled, inspected),
      (test, timeoutMs, signal) => this.#perform(entry, test, timeoutMs, signal),
      () => {
        if (entry.watch !== undefined) hear(entry, entry.watch.verdict);
        this.#publish();
      },
    );
    entry.watch.heed(inspected.health);
    hear(entry, entry.watch.verdict);
  }

  async #perform(
    entry: DockerEntry,
    test: CheckTest,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    if (test.kind === "command") {
      const argv = argvOf(test.command, test.shell);
      const { container } = entry;
      if (container === undefined) return undefined;
      return await runInContainer(this.#daemon, container, argv, timeoutMs, signal);
    }
    if (entry.endpoint === undefined) return false;
    const at = { address: entry.endpoint.address, port: test.port };
    return await probe(test, at, timeoutMs, signal);
  }

  #end(entry: DockerEntry, how: Pick<Inspected, "exitCode" | "problem">): void {
    entry.phase = "exited";
    entry.exitCode = how.exitCode;
    entry.problem = how.problem;
    entry.watch?.close();
    entry.ended.resolve();
  }

  /** Somebody removed the container behind our back: there is no such task any more. */
  #drop(container: string): void {
    const entry = this.#find(container);
    if (entry === undefined || entry.isLaunching || entry.phase === "refused") return;
    entry.watch?.close();
    entry.ended.resolve();
    this.#entries.delete(entry.identity.task);
  }

  async #launch(entry: DockerEntry, order: StartOrder): Promise<void> {
    const { signal } = entry.cancel;
    const { workload } = order.spec;
    while (!signal.aborted) {
      try {
        await this.#daemon.up(signal);
        if (workload.kind !== "container") throw new DockerRefusal(400, "this is no container");
        const created = (id: string): void => {
          entry.container = id;
        };
        await this.#launcher.launch(order, workload, entry.identity.createdAtMs, created, signal);
        break;
      } catch (error) {
        if (error instanceof DockerGone) continue;
        if (!signal.aborted) this.#refuse(entry, this.#problemOf(error, order));
        break;
      }
    }
    if (this.#isClosed) return;
    entry.isLaunching = false;
    if (signal.aborted || entry.phase === "refused") await this.#discard(entry);
    else if (entry.container !== undefined) this.#survey.look(entry.container);
  }

  #problemOf(error: unknown, { spec }: StartOrder): Problem {
    if (error instanceof OperationError) return error.problems[0] as Problem;
    if (error instanceof DockerRefusal && spec.workload.kind === "container") {
      return refusalOf(error, { node: this.#nodeName, workload: spec.workload });
    }
    const detail = error instanceof Error ? error.message : String(error);
    return { code: "engine-refused", engine: "docker", node: this.#nodeName, detail };
  }

  #refuse(entry: DockerEntry, problem: Problem): void {
    entry.phase = "refused";
    entry.problem = problem;
    this.#publish();
  }

  /** A task that did not come to run leaves no container behind. */
  async #discard(entry: DockerEntry): Promise<void> {
    if (entry.phase !== "refused") this.#end(entry, { exitCode: undefined, problem: undefined });
    this.#publish();
    if (entry.removed) return await this.#remove(entry);
    const { container } = entry;
    if (container === undefined) return;
    entry.container = undefined;
    await this.#launcher.removeContainer(container).catch((error: unknown) => {
      this.#log(`container ${container} is left over: ${error}`);
    });
  }

  async #finishStart(entry: DockerEntry, info: Dockerode.ContainerInspectInfo): Promise<void> {
    entry.isLaunching = true;
    try {
      await this.#launcher.startContainer(info.Id);
    } catch (error) {
      // Looked at again when the daemon is back.
      if (error instanceof DockerGone) entry.listed = "";
      else {
        const detail = error instanceof Error ? error.message : String(error);
        const node = this.#nodeName;
        this.#refuse(entry, { code: "engine-refused", engine: "docker", node, detail });
      }
    }
    entry.isLaunching = false;
    if (entry.cancel.signal.aborted) await this.#discard(entry);
    else this.#survey.look(info.Id);
  }

  async #stop(entry: DockerEntry, { graceMs, signal }: StopOrder): Promise<void> {
    const { container } = entry;
    if (container === undefined) return;
    // The agent says SIGTERM where the spec says nothing, and then the image has the word.
    const first = signal === "SIGTERM" ? (entry.stopSignal ?? signal) : signal;
    try {
      await this.#kill(container, first);
      await pause(graceMs, entry.ended.promise);
      if (!isOver(entry) && !this.#isClosed) await this.#kill(container, "SIGKILL");
    } catch (error) {
      // The agent repeats its order, and finds the engine back.
      if (error instanceof DockerGone) entry.isStopping = false;
    }
    this.#survey.look(container);
  }

  /** That it does not run, or does not know the signal, is no reason to stop stopping. */
  async #kill(container: string, signal: string): Promise<void> {
    const { api } = this.#daemon;
    try {
      await this.#daemon.ask((abortSignal) =>
        api.getContainer(container).kill({ signal, abortSignal }),
      );
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw error;
    }
  }

  async #remove(entry: DockerEntry): Promise<void> {
    entry.watch?.close();
    entry.ended.resolve();
    try {
      if (entry.container !== undefined) await this.#launcher.removeContainer(entry.container);
      this.#entries.delete(entry.identity.task);
    } catch (error) {
      // Tried again when the daemon is back; the agent has forgotten it already.
      if (!(error instanceof DockerGone)) this.#log(`cannot remove ${entry.container}: ${error}`);
    }
  }
}
