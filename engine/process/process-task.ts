/**
 * One task of the process engine, from its order or from its directory to its end. A door. What
 * becomes of it is told by `onChange`; the engine looks at it every now and then (`look`).
 */

import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync } from "node:fs";
import { basename } from "node:path";
import { OperationError, type Problem } from "../../model/problem.ts";
import type { ProcessWorkload } from "../../model/spec.ts";
import type { StartOrder, StopOrder } from "../../ports.ts";
import { pause } from "../pause.ts";
import { hear, identityOf, isOver, newEntry, type TaskEntry } from "../task-entry.ts";
import { TaskWatch } from "../task-watch.ts";
import { ControlGroup } from "./control-group.ts";
import {
  bootId,
  isAlive,
  type ProcessIdentity,
  parseStat,
  readStatLine,
  signalGroup,
} from "./kernel.ts";
import { performCheck, processAddress, watchPlan } from "./process-checks.ts";
import type { PortMap } from "./process-environment.ts";
import type { Command } from "./process-exec.ts";
import { signalNumber } from "./signals.ts";
import { TaskCommands } from "./task-commands.ts";
import { TaskDirectory, type TaskRecord } from "./task-directory.ts";
import { TaskLog } from "./task-log.ts";
import { wrap } from "./wrapper.ts";

export type TaskSurroundings = {
  /** The engine's directory. */
  readonly root: string;
  readonly nodeName: string;
  readonly logBytesMax: number;
  readonly log: (line: string) => void;
  readonly onChange: () => void;
};

/** As a shell counts a process that was killed; what an end without any record is taken for. */
const killedCode = 137;
/** A killed process is gone within this time, ms, unless the kernel itself is stuck with it. */
const killMsMax = 5_000;

export class ProcessTask {
  readonly entry: TaskEntry;
  readonly order: StartOrder;
  readonly log: TaskLog;
  readonly #commands: TaskCommands;
  readonly #directory: TaskDirectory;
  readonly #around: TaskSurroundings;
  readonly #ended = Promise.withResolvers<void>();
  #ports: PortMap = {};
  #process: ProcessIdentity | undefined;
  #childCode: number | undefined;
  #group = new ControlGroup([]);
  #watch: TaskWatch | undefined;
  #isStopping = false;

  constructor(
    order: StartOrder,
    workload: ProcessWorkload,
    createdAtMs: number,
    around: TaskSurroundings,
  ) {
    this.order = order;
    this.entry = newEntry(identityOf(order, createdAtMs));
    this.#around = around;
    this.#directory = TaskDirectory.of(around.root, order.task);
    this.#commands = new TaskCommands(order, workload, this.#directory.work);
    this.log = new TaskLog(order.task, this.#directory.path, around.logBytesMax);
  }

  get isOver(): boolean {
    return isOver(this.entry);
  }

  get ports(): readonly number[] {
    return this.isOver ? [] : Object.values(this.#ports);
  }

  get group(): ControlGroup {
    return this.#group;
  }

  /** The wrapper's, who leads the task's session. */
  get pid(): number | undefined {
    return this.isOver ? undefined : this.#process?.pid;
  }

  get firstChecks(): Promise<void> {
    return this.#watch?.firstRound ?? Promise.resolve();
  }

  /** Throws OperationError with command-not-found, and what the system throws. */
  launch(ports: PortMap): void {
    const { nodeName: node, log } = this.#around;
    const own = this.#commands.own(ports);
    if (own === undefined) {
      const command = this.#commands.name;
      throw new OperationError({ code: "command-not-found", command, node });
    }
    this.#ports = ports;
    this.#directory.create();
    const groupName = basename(this.#directory.path);
    const { group, unenforced } = ControlGroup.create(groupName, this.order.spec.resources);
    this.#group = group;
    for (const limit of unenforced) this.#say(`shoal: not enforced on this node: ${limit}`);
    for (const limit of unenforced) log(`${this.order.task} runs without its ${limit}`);
    this.#directory.write(this.#record());
    const argv = [own.program, ...own.args];
    this.#run(wrap(this.#directory.path, group.doors, argv), own);
  }

  /** What a former agent started, as far as its directory and the kernel know. */
  adopt(record: TaskRecord): void {
    this.#ports = record.ports;
    this.#group = new ControlGroup(record.groups);
    const exitCode = this.#directory.readExitCode();
    const isSameBoot = record.bootId === bootId();
    if (isSameBoot && this.#directory.readStarted() === undefined) this.#directory.giveUp();
    // Read once more: its wrapper may have begun just before.
    const started = this.#directory.readStarted();
    if (exitCode !== undefined) this.#end(exitCode);
    else if (!isSameBoot) this.#end(killedCode, "the host was restarted");
    else if (started === undefined) this.#end(killedCode, "the agent ended while it started it");
    else if (!isAlive(started)) this.#end(killedCode);
    else {
      this.#process = started;
      this.#up();
    }
  }

  /** Notes growth of the log, and whether the process has ended. */
  look(nowMs: number): void {
    if (this.isOver || this.#process === undefined) return;
    const isRunning = isAlive(this.#process);
    try {
      this.log.look(nowMs);
    } catch (error) {
      // A full disk: the task goes on, only its times are lost.
      this.#around.log(`the log of ${this.order.task}: ${error}`);
    }
    if (!isRunning) this.#end(this.#directory.readExitCode() ?? this.#childCode ?? killedCode);
  }

  stop({ graceMs, signal }: Pick<StopOrder, "graceMs" | "signal">): void {
    if (this.isOver || this.#isStopping) return;
    this.#isStopping = true;
    if (this.#process === undefined) this.#end(undefined);
    else {
      this.entry.phase = "stopping";
      this.#around.onChange();
      void this.#stop(graceMs, signalNumber(signal));
    }
  }

  refuse(problem: Problem): void {
    if (this.isOver) return;
    this.entry.phase = "refused";
    this.entry.problem = problem;
    this.#ended.resolve();
    this.#around.onChange();
  }

  /** With its directory and groups; kills what still runs. */
  async remove(): Promise<void> {
    this.entry.removed = true;
    this.#around.onChange();
    if (!this.isOver) {
      this.#kill();
      await pause(killMsMax, this.#ended.promise);
    }
    this.close();
    await this.#directory.remove();
    const deadlineMs = Date.now() + killMsMax;
    while (!this.#group.remove() && Date.now() < deadlineMs) {
      await pause(50, new Promise(() => {}));
    }
  }

  /** Lets go of it; the process runs on. */
  close(): void {
    this.#watch?.close();
    this.log.close();
  }

  /** A command as it would be run in the task itself; undefined when there is no such program. */
  command(
    argv: readonly string[],
    extra?: Parameters<TaskCommands["find"]>[2],
  ): Command | undefined {
    return this.#commands.find(argv, this.#ports, extra);
  }

  #record(): TaskRecord {
    return {
      order: this.order,
      createdAtMs: this.entry.identity.createdAtMs,
      bootId: bootId(),
      ports: this.#ports,
      groups: this.#group.paths,
    };
  }

  #say(line: string): void {
    appendFileSync(this.log.path("stderr"), `${line}\n`);
  }

  /** Output goes to files that the child holds itself: it outlives us, and so must they. */
  #run([program, ...args]: readonly string[], { directory, environment }: Command): void {
    const output = openSync(this.log.path("stdout"), "a", 0o600);
    const errors = openSync(this.log.path("stderr"), "a", 0o600);
    try {
      const child = spawn(program as string, args, {
        cwd: directory,
        env: { ...environment },
        stdio: ["ignore", output, errors],
        detached: true,
      });
      this.#follow(child);
    } finally {
      closeSync(output);
      closeSync(errors);
    }
  }

  #follow(child: ChildProcess): void {
    child.once("error", (error) => {
      const node = this.#around.nodeName;
      const detail = error.message;
      this.refuse({ code: "engine-refused", engine: "process", node, detail });
    });
    if (child.pid === undefined) return;
    child.unref();
    child.once("exit", (code) => {
      this.#childCode = code ?? undefined;
      this.look(Date.now());
    });
    const line = readStatLine(child.pid);
    this.#directory.writeStarted(line);
    this.#process = parseStat(line);
    this.#up();
  }

  #up(): void {
    this.entry.phase = "up";
    this.entry.endpoint = { address: processAddress, ports: this.#ports };
    const watch = new TaskWatch(
      watchPlan(this.order.spec, this.#ports, this.entry.identity.createdAtMs),
      (test, timeoutMs, signal) =>
        performCheck(test, this.#commands, this.#ports, timeoutMs, signal),
      () => {
        hear(this.entry, watch.verdict);
        this.#around.onChange();
      },
    );
    this.#watch = watch;
    hear(this.entry, watch.verdict);
    this.#around.onChange();
  }

  async #stop(graceMs: number, signal: number): Promise<void> {
    this.#signal(signal);
    await pause(graceMs, this.#ended.promise);
    if (!this.isOver) this.#kill();
  }

  #kill(): void {
    this.#signal(signalNumber("SIGKILL"));
    this.#group.killAll();
  }

  #signal(signal: number): void {
    const { pid } = this.#process ?? {};
    if (pid === undefined || this.#process === undefined || !isAlive(this.#process)) return;
    try {
      signalGroup(pid, signal);
    } catch (error) {
      this.#around.log(`cannot signal ${this.order.task}: ${error}`);
    }
  }

  #end(exitCode: number | undefined, detail?: string): void {
    const { oomKills } = this.#group;
    this.#group.killAll();
    const { task } = this.order;
    const limit = this.order.spec.resources.memoryLimitBytes;
    const memory = oomKills > 0 && exitCode !== 0;
    const why = memory ? `out of memory: the kernel killed it at ${limit} bytes` : detail;
    this.entry.phase = "exited";
    this.entry.exitCode = exitCode;
    this.entry.problem = why === undefined ? undefined : { code: "task-failed", task, detail: why };
    this.#watch?.close();
    this.#ended.resolve();
    this.#around.onChange();
  }
}
