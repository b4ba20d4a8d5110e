/**
 * One task of the Docker engine, from its order or from its container to its end. A door. What
 * becomes of it is told by `onChange`. Begin reading at `heed`, to which comes what the daemon
 * says of its container.
 */

import type Dockerode from "dockerode";
import { OperationError, type Problem } from "../../model/problem.ts";
import type { CheckTest, ContainerWorkload } from "../../model/spec.ts";
import type { StartOrder, StopOrder } from "../../ports.ts";
import { pause } from "../pause.ts";
import { probe } from "../probe.ts";
import { hear, isOver, newEntry, type TaskEntry, type TaskIdentity } from "../task-entry.ts";
import { TaskWatch } from "../task-watch.ts";
import type { DockerDaemon } from "./daemon.ts";
import { runInContainer } from "./docker-exec.ts";
import { argvOf, type Inspected, readInspection, watchPlan } from "./inspection.ts";
import type { LabelledTask } from "./labels.ts";
import type { Launcher } from "./launcher.ts";
import { DockerGone, DockerRefusal, refusalOf } from "./refusals.ts";

export type TaskSurroundings = {
  readonly daemon: DockerDaemon;
  readonly launcher: Launcher;
  readonly nodeName: string;
  readonly log: (line: string) => void;
  readonly onChange: () => void;
  /** Ask the daemon what has become of this container. */
  readonly look: (container: string) => void;
  /** Nothing is left of it. */
  readonly onForgotten: () => void;
};

/** The end of what never ran. */
const noExit = { exitCode: undefined, problem: undefined };

export class DockerTask {
  readonly entry: TaskEntry;
  readonly #around: TaskSurroundings;
  /** Aborted when the task is wanted no longer while it is being launched. */
  readonly #cancel = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #container: string | undefined;
  /** State and health as they were last told: it is looked at again when a listing differs. */
  #told = "";
  /** Of the container's configuration: the spec's, else the image's. */
  #stopSignal: string | undefined;
  #watch: TaskWatch | undefined;
  /** Between the order and a container that runs. */
  #isLaunching = false;
  #isStopping = false;
  #isClosed = false;

  constructor(identity: TaskIdentity, around: TaskSurroundings) {
    this.entry = newEntry(identity);
    this.#around = around;
  }

  get container(): string | undefined {
    return this.#container;
  }

  get firstChecks(): Promise<void> {
    return this.#watch?.firstRound ?? Promise.resolve();
  }

  knows(told: string): boolean {
    return this.#told === told;
  }

  /** Carries on for as long as it takes, through any number of daemons, until it is cancelled. */
  async launch(order: StartOrder, workload: ContainerWorkload): Promise<void> {
    const { daemon, launcher, look } = this.#around;
    const { signal } = this.#cancel;
    const onCreated = (container: string): void => {
      this.#container = container;
    };
    this.#isLaunching = true;
    while (!signal.aborted) {
      try {
        await daemon.up(signal);
        const { createdAtMs } = this.entry.identity;
        await launcher.launch(order, workload, createdAtMs, onCreated, signal);
        break;
      } catch (error) {
        if (error instanceof DockerGone) continue;
        if (!signal.aborted) this.#refuse(this.#problemOf(error, workload));
        break;
      }
    }
    if (this.#isClosed) return;
    this.#isLaunching = false;
    if (signal.aborted || this.entry.phase === "refused") await this.#discard();
    else if (this.#container !== undefined) look(this.#container);
  }

  /** What the daemon says of the container becomes what we say of the task. */
  heed(info: Dockerode.ContainerInspectInfo, labelled: LabelledTask, told: string): void {
    if (this.#isClosed || isOver(this.entry) || this.entry.removed) {
      this.#container ??= this.entry.phase === "refused" ? undefined : info.Id;
      this.#told = told;
      return;
    }
    const inspected = readInspection(info, labelled);
    this.#container = info.Id;
    this.#told = told;
    switch (inspected.phase) {
      case "created":
        // Its agent died between the two steps: what was ordered is carried on with.
        if (!this.#isLaunching && !this.#isStopping) void this.#finishStart(info.Id);
        return;
      case "up":
        this.entry.phase = this.#isStopping ? "stopping" : "up";
        this.entry.endpoint = inspected.endpoint;
        this.#stopSignal = (info.Config as { StopSignal?: string }).StopSignal;
        this.#follow(info, labelled, inspected);
        return;
      case "exited":
        this.#end(inspected);
    }
  }

  /** Somebody removed the container behind our back. True when the task has gone with it. */
  lose(): boolean {
    if (this.#isLaunching || this.entry.phase === "refused") return false;
    this.#watch?.close();
    this.#ended.resolve();
    return true;
  }

  stop(order: StopOrder): void {
    if (isOver(this.entry) || this.#isStopping) return;
    this.#isStopping = true;
    this.entry.phase = "stopping";
    if (!this.#isLaunching) void this.#stop(order);
    else {
      this.#cancel.abort();
      // A pull may take an hour; nothing will be started after it.
      if (this.#container === undefined) this.#end(noExit);
    }
    this.#around.onChange();
  }

  /** Running or not. While it is being launched, the launch does it when it sees. */
  remove(): void {
    if (this.entry.removed) return;
    this.entry.removed = true;
    this.#cancel.abort();
    this.#around.onChange();
    void this.finishRemoval();
  }

  /** Tried again whenever the daemon comes back; the agent has forgotten the task already. */
  async finishRemoval(): Promise<void> {
    if (!this.entry.removed || this.#isLaunching) return;
    this.#watch?.close();
    this.#ended.resolve();
    const { launcher, log, onForgotten } = this.#around;
    try {
      if (this.#container !== undefined) await launcher.removeContainer(this.#container);
      onForgotten();
    } catch (error) {
      if (!(error instanceof DockerGone)) log(`cannot remove ${this.#container}: ${error}`);
    }
  }

  /** Lets go of it; the container runs on. */
  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
    this.#cancel.abort();
  }

  #follow(
    info: Dockerode.ContainerInspectInfo,
    labelled: LabelledTask,
    inspected: Inspected,
  ): void {
    const watch =
      this.#watch ??
      new TaskWatch(
        watchPlan(info, labelled, inspected),
        (test, timeoutMs, signal) => this.#perform(test, timeoutMs, signal),
        () => {
          hear(this.entry, watch.verdict);
          this.#around.onChange();
        },
      );
    this.#watch = watch;
    watch.heed(inspected.health);
    hear(this.entry, watch.verdict);
  }

  async #perform(
    test: CheckTest,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    if (test.kind === "command") {
      const argv = argvOf(test.command, test.shell);
      const container = this.#container;
      if (container === undefined) return undefined;
      return await runInContainer(this.#around.daemon, container, argv, timeoutMs, signal);
    }
    const { endpoint } = this.entry;
    if (endpoint === undefined) return false;
    return await probe(test, { address: endpoint.address, port: test.port }, timeoutMs, signal);
  }

  #problemOf(error: unknown, workload: ContainerWorkload): Problem {
    const node = this.#around.nodeName;
    if (error instanceof OperationError) return error.problems[0] as Problem;
    if (error instanceof DockerRefusal) return refusalOf(error, { node, workload });
    const detail = error instanceof Error ? error.message : String(error);
    return { code: "engine-refused", engine: "docker", node, detail };
  }

  #refuse(problem: Problem): void {
    this.entry.phase = "refused";
    this.entry.problem = problem;
    this.#around.onChange();
  }

  #end(how: Pick<Inspected, "exitCode" | "problem">): void {
    this.entry.phase = "exited";
    this.entry.exitCode = how.exitCode;
    this.entry.problem = how.problem;
    this.#watch?.close();
    this.#ended.resolve();
  }

  /** A task that did not come to run leaves no container behind. */
  async #discard(): Promise<void> {
    if (this.entry.phase !== "refused") this.#end(noExit);
    this.#around.onChange();
    if (this.entry.removed) return await this.finishRemoval();
    const container = this.#container;
    this.#container = undefined;
    if (container === undefined) return;
    await this.#around.launcher.removeContainer(container).catch((error: unknown) => {
      this.#around.log(`container ${container} is left over: ${error}`);
    });
  }

  async #finishStart(container: string): Promise<void> {
    const { launcher, nodeName, look } = this.#around;
    this.#isLaunching = true;
    try {
      await launcher.startContainer(container);
    } catch (error) {
      // Looked at again when the daemon is back.
      if (error instanceof DockerGone) this.#told = "";
      else {
        const detail = error instanceof Error ? error.message : String(error);
        this.#refuse({ code: "engine-refused", engine: "docker", node: nodeName, detail });
      }
    }
    this.#isLaunching = false;
    const isUnwanted = this.#cancel.signal.aborted && !this.#isClosed;
    if (isUnwanted || this.entry.phase === "refused") await this.#discard();
    else look(container);
  }

  async #stop({ graceMs, signal }: StopOrder): Promise<void> {
    const container = this.#container;
    if (container === undefined) return;
    // The agent says SIGTERM where the spec says nothing, and then the image has the word.
    const first = signal === "SIGTERM" ? (this.#stopSignal ?? signal) : signal;
    try {
      await this.#kill(container, first);
      await pause(graceMs, this.#ended.promise);
      if (!isOver(this.entry) && !this.#isClosed) await this.#kill(container, "SIGKILL");
    } catch (error) {
      // The agent repeats its order, and finds the engine back.
      if (error instanceof DockerGone) this.#isStopping = false;
    }
    this.#around.look(container);
  }

  /** That it does not run, or does not know the signal, is no reason to stop stopping. */
  async #kill(container: string, signal: string): Promise<void> {
    const { daemon } = this.#around;
    try {
      await daemon.ask((abortSignal) =>
        daemon.api.getContainer(container).kill({ signal, abortSignal }),
      );
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw error;
    }
  }
}
