/**
 * The Docker engine: tasks as containers of a local daemon. A door.
 *
 * What runs is what the daemon says: events tell which container to look at, and a listing every
 * now and then finds what no event told. Memory holds only what the daemon cannot know yet: tasks
 * on their way to a container, and those it refused.
 */

import type Dockerode from "dockerode";
import type { MeshId, NodeId, TaskId } from "../../model/ids.ts";
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
import { Reports } from "../reports.ts";
import { identityOf, type TaskIdentity } from "../task-entry.ts";
import { DockerDaemon } from "./daemon.ts";
import { DockerSessions } from "./docker-sessions.ts";
import { DockerTask } from "./docker-task.ts";
import { labelFilter, readLabels } from "./labels.ts";
import { Launcher } from "./launcher.ts";
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
  readonly #tasks = new Map<TaskId, DockerTask>();
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
      known: () => [...this.#tasks.values()].flatMap(({ container }) => container ?? []),
      isKnown: (container, told) => this.#find(container)?.knows(told) ?? false,
      onInspected: (info, told) => this.#heed(info, told),
      onGone: (container) => this.#lose(container),
      onRound: () => this.#publish(),
    });
    const containerOf = (task: TaskId): string | undefined => this.#tasks.get(task)?.container;
    this.#sessions = new DockerSessions(this.#daemon, nodeName, containerOf);
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
    for (const task of this.#tasks.values()) task.close();
    this.#daemon.close();
  }

  start(order: StartOrder): void {
    const { workload } = order.spec;
    if (this.#isClosed || this.#tasks.has(order.task) || workload.kind !== "container") return;
    const task = this.#newTask(identityOf(order, Date.now()));
    this.#publish();
    void task.launch(order, workload);
  }

  stop(order: StopOrder): void {
    this.#tasks.get(order.task)?.stop(order);
  }

  remove(task: TaskId): void {
    this.#tasks.get(task)?.remove();
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

  #newTask(identity: TaskIdentity): DockerTask {
    const task = new DockerTask(identity, {
      daemon: this.#daemon,
      launcher: this.#launcher,
      nodeName: this.#nodeName,
      log: this.#log,
      onChange: () => this.#publish(),
      look: (container) => this.#survey.look(container),
      onForgotten: () => this.#tasks.delete(identity.task),
    });
    this.#tasks.set(identity.task, task);
    return task;
  }

  async #onUp(): Promise<void> {
    await this.#survey.all();
    const tasks = [...this.#tasks.values()];
    for (const task of tasks) void task.finishRemoval();
    await pause(firstChecksMs, Promise.all(tasks.map((task) => task.firstChecks)));
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
    if (!this.#isReporting) return;
    this.#reports.observed([...this.#tasks.values()].map(({ entry }) => entry));
  }

  #find(container: string): DockerTask | undefined {
    for (const task of this.#tasks.values()) if (task.container === container) return task;
    return undefined;
  }

  /** One container that we do not understand must not cost us the others. */
  #heed(info: Dockerode.ContainerInspectInfo, told: string): void {
    try {
      const labelled = readLabels(info.Config.Labels ?? {});
      if (labelled === undefined || this.#isClosed) return;
      const { identity } = labelled;
      const task = this.#tasks.get(identity.task) ?? this.#newTask(identity);
      task.heed(info, labelled, told);
    } catch (error) {
      this.#log(`container ${info.Id} is not understood: ${error}`);
    }
  }

  #lose(container: string): void {
    const task = this.#find(container);
    if (task?.lose()) this.#tasks.delete(task.entry.identity.task);
  }
}
